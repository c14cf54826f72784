// Core: relative strength index (Wilder, 1978); 50 where the price did not move.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Rsi final : public Indicator {
 public:
  static constexpr std::string_view kName = "rsi";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Rsi(int window) : Indicator(kOutputs.size(), window + 1), gains_(window), losses_(window) {}
  void update(const Bar& bar) override {
    const double change = bar.close - previous_.push(bar.close);
    if (std::isnan(change)) return;
    const double gain = gains_.push(std::max(change, 0.0));
    const double loss = losses_.push(std::max(-change, 0.0));
    set(0, 100.0 * ratio(gain, gain + loss, 0.5));
  }

 private:
  Previous previous_;
  WilderMean gains_, losses_;
};

}  // namespace tradewind::indicators
