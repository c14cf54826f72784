// Core: ultimate oscillator: buying pressure over three windows, weighed 4:2:1 (Williams, 1985).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class UltimateOscillator final : public Indicator {
 public:
  static constexpr std::string_view kName = "ultimate_oscillator";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("short", 7), bars("middle", 14), bars("long", 28)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  UltimateOscillator(int brief, int middle, int extended)
      : Indicator(kOutputs.size(), std::max({brief, middle, extended}) + 1),
        brief_(brief),
        middle_(middle),
        extended_(extended) {}

  void update(const Bar& bar) override {
    const double before = close_.push(bar.close);
    if (std::isnan(before)) return;
    const double low = std::min(bar.low, before);
    const double pressure = bar.close - low;
    const double range = std::max(bar.high, before) - low;
    const double a = brief_.push(pressure, range);
    const double b = middle_.push(pressure, range);
    const double c = extended_.push(pressure, range);
    set(0, 100.0 * (4.0 * a + 2.0 * b + c) / 7.0);
  }

 private:
  class PressureShare {
   public:
    explicit PressureShare(int window) : pressure_(window), range_(window) {}
    double push(double pressure, double range) {
      const double mean_pressure = pressure_.push(pressure);
      return ratio(mean_pressure, range_.push(range), 0.5);
    }

   private:
    SimpleMean pressure_, range_;
  };

  Previous close_;
  PressureShare brief_, middle_, extended_;
};

}  // namespace tradewind::indicators
