// Core: range volatility that allows for drift (Rogers & Satchell, 1991), per bar and annualised.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/elementary.hpp"
#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

// One bar: ln(H/C) ln(H/O) + ln(L/C) ln(L/O).
class RogersSatchell final : public Indicator {
 public:
  static constexpr std::string_view kName = "rogers_satchell";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 21), real("bars_per_year", 252, 1, 1e7)};
  static constexpr std::array<std::string_view, 2> kOutputs{"bar", "annual"};

  RogersSatchell(int window, double bars_per_year)
      : Indicator(kOutputs.size(), window), variance_(window), year_(std::sqrt(bars_per_year)) {}
  void update(const Bar& bar) override {
    const double deviation = std::sqrt(variance_.push(of_bar(bar)));
    set(0, deviation);
    set(1, deviation * year_);
  }

  [[nodiscard]] static double of_bar(const Bar& bar) {
    return natural_log(bar.high / bar.close) * natural_log(bar.high / bar.open) +
           natural_log(bar.low / bar.close) * natural_log(bar.low / bar.open);
  }

 private:
  SimpleMean variance_;
  double year_;
};

}  // namespace tradewind::indicators
