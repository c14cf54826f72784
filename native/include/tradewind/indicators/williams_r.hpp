// Core: Williams %R, from -100 to 0 (Williams, 1973); -50 where the window has no range.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

class WilliamsR final : public Indicator {
 public:
  static constexpr std::string_view kName = "williams_r";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit WilliamsR(int window) : Indicator(kOutputs.size(), window), highs_(window), lows_(window) {}
  void update(const Bar& bar) override {
    highs_.push(bar.high);
    lows_.push(bar.low);
    if (!highs_.full()) return;
    const double high = highest(highs_.values());
    set(0, -100.0 * ratio(high - bar.close, high - lowest(lows_.values()), 0.5));
  }

 private:
  Window highs_, lows_;
};

}  // namespace tradewind::indicators
