// Core: stochastic oscillator, %K and %D (Lane, 1984); 50 where the window has no range.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Stochastic final : public Indicator {
 public:
  static constexpr std::string_view kName = "stochastic";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14), bars("smooth_k", 3), bars("smooth_d", 3)};
  static constexpr std::array<std::string_view, 2> kOutputs{"k", "d"};

  Stochastic(int window, int smooth_k, int smooth_d)
      : Indicator(kOutputs.size(), window + smooth_k + smooth_d - 2),
        highs_(window),
        lows_(window),
        k_(smooth_k),
        d_(smooth_d) {}

  void update(const Bar& bar) override {
    highs_.push(bar.high);
    lows_.push(bar.low);
    if (!highs_.full()) return;
    const double low = lowest(lows_.values());
    const double k = k_.push(100.0 * ratio(bar.close - low, highest(highs_.values()) - low, 0.5));
    set(0, k);
    set(1, d_.push(k));
  }

 private:
  Window highs_, lows_;
  SimpleMean k_, d_;
};

}  // namespace tradewind::indicators
