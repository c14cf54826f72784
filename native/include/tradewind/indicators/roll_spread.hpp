// Core: Roll (1984) effective spread: 2 sqrt(-cov) of successive price changes, 0 where the covariance is positive.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class RollSpread final : public Indicator {
 public:
  static constexpr std::string_view kName = "roll_spread";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 3)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit RollSpread(int window) : Indicator(kOutputs.size(), window + 1), changes_(window) {}
  void update(const Bar& bar) override {
    const double change = bar.close - close_.push(bar.close);
    if (std::isnan(change)) return;
    changes_.push(change);
    if (!changes_.full()) return;
    const auto newer = changes_.values().subspan(1);
    const auto older = changes_.values().first(newer.size());
    const double covariance = codeviation(newer, older) / static_cast<double>(newer.size() - 1);
    set(0, 2.0 * std::sqrt(std::max(0.0, -covariance)));
  }

 private:
  Previous close_;
  Window changes_;
};

}  // namespace tradewind::indicators
