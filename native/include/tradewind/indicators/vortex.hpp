// Core: vortex: reach of highs over the lows before and of lows under the highs before (Botes & Siepman, 2010).
// Means of n bars, as a share of their mean true range; both are 1 where that is 0.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Vortex final : public Indicator {
 public:
  static constexpr std::string_view kName = "vortex";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14)};
  static constexpr std::array<std::string_view, 2> kOutputs{"plus", "minus"};

  explicit Vortex(int window) : Indicator(kOutputs.size(), window + 1), up_(window), down_(window), range_(window) {}

  void update(const Bar& bar) override {
    const double up = up_.push(std::abs(bar.high - low_.push(bar.low)));
    const double down = down_.push(std::abs(bar.low - high_.push(bar.high)));
    const double range = range_.push(true_range_.push(bar));
    set(0, ratio(up, range, 1.0));
    set(1, ratio(down, range, 1.0));
  }

 private:
  Previous high_, low_;
  TrueRange1 true_range_;
  SimpleMean up_, down_, range_;
};

}  // namespace tradewind::indicators
