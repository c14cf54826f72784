// Core: Kaufman's adaptive moving average, and the efficiency ratio that drives it (Kaufman, 1995).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Kama final : public Indicator {
 public:
  static constexpr std::string_view kName = "kama";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 10), bars("fast", 2), bars("slow", 30)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "efficiency"};

  Kama(int window, int fast, int slow)
      : Indicator(kOutputs.size(), window + 1),
        closes_(window + 1),
        fast_(2.0 / (fast + 1.0)),
        slow_(2.0 / (slow + 1.0)) {}

  void update(const Bar& bar) override {
    const double before = closes_.count() == 0 ? kNaN : closes_.newest();
    closes_.push(bar.close);
    if (!closes_.full()) return;
    const auto closes = closes_.values();
    double path = 0.0;
    for (std::size_t i = 1; i < closes.size(); ++i) path += std::abs(closes[i] - closes[i - 1]);
    const double efficiency = std::min(1.0, ratio(std::abs(closes.back() - closes.front()), path, 1.0));
    const double constant = efficiency * (fast_ - slow_) + slow_;
    const double last = std::isnan(value()) ? before : value();  // starts at the close before the first value
    set(0, last + constant * constant * (bar.close - last));
    set(1, efficiency);
  }

 private:
  Window closes_;
  double fast_, slow_;
};

}  // namespace tradewind::indicators
