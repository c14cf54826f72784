// Core: parabolic stop and reverse, its direction and its flips (Wilder, 1978).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class ParabolicSar final : public Indicator {
 public:
  static constexpr std::string_view kName = "parabolic_sar";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{real("step", 0.02, 0.0001, 1.0), real("maximum", 0.2, 0.0001, 1.0)};
  static constexpr std::array<std::string_view, 3> kOutputs{"value", "direction", "flip"};

  ParabolicSar(double step, double maximum) : Indicator(kOutputs.size(), 2), step_(step), maximum_(maximum) {
    if (step > maximum) throw IndicatorError("parabolic_sar: step must not be above maximum");
  }

  void update(const Bar& bar) override {
    double high_before = high_.push(bar.high);
    double low_before = low_.push(bar.low);
    if (std::isnan(high_before)) return;
    if (direction_ == 0.0) {
      start(bar, high_before, low_before);
      // The first stop is the first bar's extreme; that bar does not hold back the second stop as well (as in TA-Lib).
      high_before = bar.high;
      low_before = bar.low;
    }
    // Seen from the position's side: `far` is where the trend goes, `near` where the stop is hit.
    const bool hit = direction_ > 0.0 ? bar.low <= stop_ : bar.high >= stop_;
    if (hit) {
      direction_ = -direction_;
      stop_ = clear_of_bars(extreme_, bar, high_before, low_before);
      acceleration_ = step_;
      extreme_ = direction_ > 0.0 ? bar.high : bar.low;
    }
    set(0, stop_);
    set(1, direction_);
    set(2, hit ? 1.0 : 0.0);
    if (!hit && (direction_ > 0.0 ? bar.high > extreme_ : bar.low < extreme_)) {
      extreme_ = direction_ > 0.0 ? bar.high : bar.low;
      acceleration_ = std::min(maximum_, acceleration_ + step_);
    }
    stop_ = clear_of_bars(stop_ + acceleration_ * (extreme_ - stop_), bar, high_before, low_before);
  }

 private:
  // The second bar decides: short when its low fell by more than its high rose.
  void start(const Bar& bar, double high_before, double low_before) {
    const double up = bar.high - high_before;
    const double down = low_before - bar.low;
    direction_ = down > 0.0 && down > up ? -1.0 : 1.0;
    stop_ = direction_ > 0.0 ? low_before : high_before;
    extreme_ = direction_ > 0.0 ? bar.high : bar.low;
    acceleration_ = step_;
  }
  // A stop never lies inside the last two bars.
  [[nodiscard]] double clear_of_bars(double stop, const Bar& bar, double high_before, double low_before) const {
    return direction_ > 0.0 ? std::min({stop, low_before, bar.low}) : std::max({stop, high_before, bar.high});
  }

  double step_, maximum_;
  double direction_ = 0.0, stop_ = kNaN, extreme_ = kNaN, acceleration_ = 0.0;
  Previous high_, low_;
};

}  // namespace tradewind::indicators
