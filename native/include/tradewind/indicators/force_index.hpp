// Core: force index: smoothed price change times volume (Elder, 1993).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// `normalised` is over the equally smoothed money traded; 0 where none was.
class ForceIndex final : public Indicator {
 public:
  static constexpr std::string_view kName = "force_index";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 13)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "normalised"};

  explicit ForceIndex(int window) : Indicator(kOutputs.size(), window + 1), force_(window), money_(window) {}
  void update(const Bar& bar) override {
    const double before = close_.push(bar.close);
    if (std::isnan(before)) return;
    const double force = force_.push((bar.close - before) * bar.volume);
    set(0, force);
    set(1, ratio(force, money_.push(bar.close * bar.volume), 0.0));
  }

 private:
  Previous close_;
  ExponentialMean force_, money_;
};

}  // namespace tradewind::indicators
