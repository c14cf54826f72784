// Core: range volatility from high and low (Parkinson, 1980), per bar and annualised.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/elementary.hpp"
#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

// One bar: ln(H/L)^2 / (4 ln 2).
class Parkinson final : public Indicator {
 public:
  static constexpr std::string_view kName = "parkinson";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 21), real("bars_per_year", 252, 1, 1e7)};
  static constexpr std::array<std::string_view, 2> kOutputs{"bar", "annual"};

  Parkinson(int window, double bars_per_year)
      : Indicator(kOutputs.size(), window), variance_(window), year_(std::sqrt(bars_per_year)) {}
  void update(const Bar& bar) override {
    const double range = natural_log(bar.high / bar.low);
    const double deviation = std::sqrt(variance_.push(range * range / (4.0 * kLn2)));
    set(0, deviation);
    set(1, deviation * year_);
  }

 private:
  SimpleMean variance_;
  double year_;
};

}  // namespace tradewind::indicators
