// Core: one-bar rate of change of a triple exponential average, in percent (Hutson, 1983).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Trix final : public Indicator {
 public:
  static constexpr std::string_view kName = "trix";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 15)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Trix(int window)
      : Indicator(kOutputs.size(), 3 * window - 1), first_(window), second_(window), third_(window) {}
  void update(const Bar& bar) override {
    const double smooth = third_.push(second_.push(first_.push(bar.close)));
    if (!std::isnan(smooth)) set(0, 100.0 * change_.push(smooth));
  }

 private:
  ExponentialMean first_, second_, third_;
  SimpleReturn1 change_;
};

}  // namespace tradewind::indicators
