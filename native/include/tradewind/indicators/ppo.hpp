// Core: percentage price oscillator: MACD as a percentage of its slow average, signal and histogram.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

// Unlike MACD's, each average is seeded with its own first bars (TA-Lib's convention).
class Ppo final : public Indicator {
 public:
  static constexpr std::string_view kName = "ppo";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("fast", 12), bars("slow", 26), bars("signal", 9)};
  static constexpr std::array<std::string_view, 3> kOutputs{"line", "signal", "histogram"};

  Ppo(int fast, int slow, int signal)
      : Indicator(kOutputs.size(), slow + signal - 1), fast_(fast), slow_(slow), signal_(signal) {
    if (fast >= slow) throw IndicatorError("ppo: fast must be below slow");
  }

  void update(const Bar& bar) override {
    const double slow = slow_.push(bar.close);
    const double line = 100.0 * (fast_.push(bar.close) / slow - 1.0);
    const double signal = signal_.push(line);
    set(0, line);
    set(1, signal);
    set(2, line - signal);
  }

 private:
  ExponentialMean fast_, slow_, signal_;
};

}  // namespace tradewind::indicators
