// Core: where the RSI lies in its own range (Chande & Kroll, 1994); 50 where it has none.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/rsi.hpp"

namespace tradewind::indicators {

class StochasticRsi final : public Indicator {
 public:
  static constexpr std::string_view kName = "stochastic_rsi";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14), bars("range", 14), bars("smooth_d", 3)};
  static constexpr std::array<std::string_view, 2> kOutputs{"k", "d"};

  StochasticRsi(int window, int range, int smooth_d)
      : Indicator(kOutputs.size(), window + range + smooth_d - 1), rsi_(window), range_(range), d_(smooth_d) {}

  void update(const Bar& bar) override {
    rsi_.update(bar);
    if (std::isnan(rsi_.value())) return;
    range_.push(rsi_.value());
    if (!range_.full()) return;
    const double low = lowest(range_.values());
    const double k = 100.0 * ratio(rsi_.value() - low, highest(range_.values()) - low, 0.5);
    set(0, k);
    set(1, d_.push(k));
  }

 private:
  Rsi rsi_;
  Window range_;
  SimpleMean d_;
};

}  // namespace tradewind::indicators
