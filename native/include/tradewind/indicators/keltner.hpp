// Core: Keltner channels: average true ranges around an exponential average (Raschke's form).
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// `position` is 0 on the lower line and 1 on the upper one; 0.5 where the channel has no width.
class Keltner final : public Indicator {
 public:
  static constexpr std::string_view kName = "keltner";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20), bars("range", 10),
                                          real("multiplier", 2.0, 0.0001, 1000.0)};
  static constexpr std::array<std::string_view, 4> kOutputs{"upper", "middle", "lower", "position"};

  Keltner(int window, int range, double multiplier)
      : Indicator(kOutputs.size(), std::max(window, range + 1)),
        mean_(window),
        range_(range),
        multiplier_(multiplier) {}
  void update(const Bar& bar) override {
    const double middle = mean_.push(bar.close);
    const double width = multiplier_ * range_.push(bar);
    set(0, middle + width);
    set(1, middle);
    set(2, middle - width);
    set(3, ratio(bar.close - (middle - width), 2.0 * width, 0.5));
  }

 private:
  ExponentialMean mean_;
  AverageTrueRange range_;
  double multiplier_;
};

}  // namespace tradewind::indicators
