// Core: ease of movement: how far the middle of the bar moved per box of volume (Arms).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// `normalised` measures distance and range in closes and volume in its own mean. A bar without range or volume counts
// 0.
class EaseOfMovement final : public Indicator {
 public:
  static constexpr std::string_view kName = "ease_of_movement";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14), real("volume_unit", 1e8, 1.0, 1e15)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "normalised"};

  EaseOfMovement(int window, double volume_unit)
      : Indicator(kOutputs.size(), window + 1), mean_(window), relative_(window), volume_(window), unit_(volume_unit) {}

  void update(const Bar& bar) override {
    const double before = middle_.push(midpoint(bar));
    if (std::isnan(before)) return;
    const double ease = (midpoint(bar) - before) * ratio(bar.high - bar.low, bar.volume, 0.0);
    set(0, mean_.push(ease * unit_));
    set(1, relative_.push(ease / (bar.close * bar.close)) * volume_.push(bar.volume));
  }

 private:
  Previous middle_;
  SimpleMean mean_, relative_, volume_;
  double unit_;
};

}  // namespace tradewind::indicators
