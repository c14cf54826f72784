// Core: Chandelier exit: the extreme of n bars less a multiple of their average true range (LeBeau).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class ChandelierExit final : public Indicator {
 public:
  static constexpr std::string_view kName = "chandelier_exit";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 22), real("multiplier", 3.0, 0.0001, 1000.0)};
  static constexpr std::array<std::string_view, 2> kOutputs{"long", "short"};

  ChandelierExit(int window, double multiplier)
      : Indicator(kOutputs.size(), window + 1),
        range_(window),
        multiplier_(multiplier),
        highs_(window),
        lows_(window) {}

  void update(const Bar& bar) override {
    const double width = multiplier_ * range_.push(bar);
    highs_.push(bar.high);
    lows_.push(bar.low);
    set(0, highest(highs_.values()) - width);
    set(1, lowest(lows_.values()) + width);
  }

 private:
  AverageTrueRange range_;
  double multiplier_;
  Window highs_, lows_;
};

}  // namespace tradewind::indicators
