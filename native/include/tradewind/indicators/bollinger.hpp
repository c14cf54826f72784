// Core: Bollinger bands with %B and bandwidth; population standard deviation (Bollinger, 2001).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

// Where the window has no deviation, %B is 0.5.
class Bollinger final : public Indicator {
 public:
  static constexpr std::string_view kName = "bollinger";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 2), real("multiplier", 2.0, 0.0001, 1000.0)};
  static constexpr std::array<std::string_view, 5> kOutputs{"upper", "middle", "lower", "percent_b", "bandwidth"};

  Bollinger(int window, double multiplier)
      : Indicator(kOutputs.size(), window), closes_(window), multiplier_(multiplier) {}
  void update(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return;
    const double middle = mean(closes_.values());
    const double width = multiplier_ * population_std(closes_.values());
    set(0, middle + width);
    set(1, middle);
    set(2, middle - width);
    set(3, ratio(bar.close - (middle - width), 2.0 * width, 0.5));
    set(4, 2.0 * width / middle);
  }

 private:
  Window closes_;
  double multiplier_;
};

}  // namespace tradewind::indicators
