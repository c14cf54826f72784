// Core: bands of a multiple of the average true range around the close.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class AtrBands final : public Indicator {
 public:
  static constexpr std::string_view kName = "atr_bands";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14), real("multiplier", 2.0, 0.0001, 1000.0)};
  static constexpr std::array<std::string_view, 2> kOutputs{"upper", "lower"};

  AtrBands(int window, double multiplier)
      : Indicator(kOutputs.size(), window + 1), range_(window), multiplier_(multiplier) {}
  void update(const Bar& bar) override {
    const double width = multiplier_ * range_.push(bar);
    set(0, bar.close + width);
    set(1, bar.close - width);
  }

 private:
  AverageTrueRange range_;
  double multiplier_;
};

}  // namespace tradewind::indicators
