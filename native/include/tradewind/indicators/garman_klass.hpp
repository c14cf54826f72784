// Core: range volatility from open, high, low, close (Garman & Klass, 1980), per bar and annualised.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/elementary.hpp"
#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

// One bar: ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2.
class GarmanKlass final : public Indicator {
 public:
  static constexpr std::string_view kName = "garman_klass";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 21), real("bars_per_year", 252, 1, 1e7)};
  static constexpr std::array<std::string_view, 2> kOutputs{"bar", "annual"};

  GarmanKlass(int window, double bars_per_year)
      : Indicator(kOutputs.size(), window), variance_(window), year_(std::sqrt(bars_per_year)) {}
  void update(const Bar& bar) override {
    const double range = natural_log(bar.high / bar.low);
    const double body = natural_log(bar.close / bar.open);
    const double variance = variance_.push(0.5 * range * range - (2.0 * kLn2 - 1.0) * body * body);
    if (std::isnan(variance)) return;
    const double deviation = std::sqrt(std::max(variance, 0.0));
    set(0, deviation);
    set(1, deviation * year_);
  }

 private:
  SimpleMean variance_;
  double year_;
};

}  // namespace tradewind::indicators
