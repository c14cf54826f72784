// Core: Donchian channel: the highest high and lowest low of n bars, this one included.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

// `position` is 0 at the lower line and 1 at the upper one; 0.5 where the channel has no width.
class Donchian final : public Indicator {
 public:
  static constexpr std::string_view kName = "donchian";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 4> kOutputs{"upper", "middle", "lower", "position"};

  explicit Donchian(int window) : Indicator(kOutputs.size(), window), highs_(window), lows_(window) {}
  void update(const Bar& bar) override {
    highs_.push(bar.high);
    lows_.push(bar.low);
    if (!highs_.full()) return;
    const double upper = highest(highs_.values());
    const double lower = lowest(lows_.values());
    set(0, upper);
    set(1, (upper + lower) / 2.0);
    set(2, lower);
    set(3, ratio(bar.close - lower, upper - lower, 0.5));
  }

 private:
  Window highs_, lows_;
};

}  // namespace tradewind::indicators
