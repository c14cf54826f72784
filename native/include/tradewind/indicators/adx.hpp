// Core: average directional index with +DI and -DI (Wilder, 1978).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Adx final : public Indicator {
 public:
  static constexpr std::string_view kName = "adx";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14, 2)};
  static constexpr std::array<std::string_view, 3> kOutputs{"adx", "plus_di", "minus_di"};

  explicit Adx(int window) : Indicator(kOutputs.size(), 2 * window), window_(window), index_(window) {}

  void update(const Bar& bar) override {
    const double range = true_range_.push(bar);
    const double up = bar.high - high_.push(bar.high);
    const double down = low_.push(bar.low) - bar.low;
    if (std::isnan(range)) return;
    const double plus = up > 0.0 && up > down ? up : 0.0;
    const double minus = down > 0.0 && down > up ? down : 0.0;
    // Wilder's sums: n - 1 moves are added up, from the n-th on each step forgets 1/n of the sum.
    const double kept = ++moves_ < window_ ? 1.0 : 1.0 - 1.0 / window_;
    plus_ = plus_ * kept + plus;
    minus_ = minus_ * kept + minus;
    range_ = range_ * kept + range;
    if (moves_ < window_) return;
    const double plus_di = 100.0 * ratio(plus_, range_, 0.0);
    const double minus_di = 100.0 * ratio(minus_, range_, 0.0);
    set(0, index_.push(100.0 * ratio(std::abs(plus_di - minus_di), plus_di + minus_di, 0.0)));
    set(1, plus_di);
    set(2, minus_di);
  }

 private:
  int window_;
  int moves_ = 0;
  double plus_ = 0.0, minus_ = 0.0, range_ = 0.0;
  TrueRange1 true_range_;
  Previous high_, low_;
  WilderMean index_;
};

}  // namespace tradewind::indicators
