// Core: SuperTrend: a trailing band of average true ranges around the middle of the bar (Seban).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Supertrend final : public Indicator {
 public:
  static constexpr std::string_view kName = "supertrend";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 10), real("multiplier", 3.0, 0.0001, 1000.0)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "direction"};

  Supertrend(int window, double multiplier)
      : Indicator(kOutputs.size(), window + 1), range_(window), multiplier_(multiplier) {}

  void update(const Bar& bar) override {
    const double width = multiplier_ * range_.push(bar);
    const double before = close_.push(bar.close);
    if (std::isnan(width)) return;
    const double upper = midpoint(bar) + width;
    const double lower = midpoint(bar) - width;
    if (direction_ == 0.0) {
      direction_ = bar.close >= midpoint(bar) ? 1.0 : -1.0;
      upper_ = upper;
      lower_ = lower;
    } else {
      // A band only tightens while the close before stayed on its side.
      if (upper < upper_ || before > upper_) upper_ = upper;
      if (lower > lower_ || before < lower_) lower_ = lower;
      if (direction_ < 0.0 && bar.close > upper_) {
        direction_ = 1.0;
      } else if (direction_ > 0.0 && bar.close < lower_) {
        direction_ = -1.0;
      }
    }
    set(0, direction_ > 0.0 ? lower_ : upper_);
    set(1, direction_);
  }

 private:
  AverageTrueRange range_;
  double multiplier_;
  Previous close_;
  double direction_ = 0.0, upper_ = kNaN, lower_ = kNaN;
};

}  // namespace tradewind::indicators
