// Core: moving average convergence/divergence, signal and histogram (Appel, 1979).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

// Both averages start on the same bar: the fast one skips the first slow - fast bars (TA-Lib's convention).
class Macd final : public Indicator {
 public:
  static constexpr std::string_view kName = "macd";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("fast", 12), bars("slow", 26), bars("signal", 9)};
  static constexpr std::array<std::string_view, 3> kOutputs{"line", "signal", "histogram"};

  Macd(int fast, int slow, int signal)
      : Indicator(kOutputs.size(), slow + signal - 1), skip_(slow - fast), fast_(fast), slow_(slow), signal_(signal) {
    if (fast >= slow) throw IndicatorError("macd: fast must be below slow");
  }

  void update(const Bar& bar) override {
    const double slow = slow_.push(bar.close);
    const double fast = skip_ > 0 ? kNaN : fast_.push(bar.close);
    if (skip_ > 0) --skip_;
    const double line = fast - slow;
    const double signal = signal_.push(line);
    set(0, line);
    set(1, signal);
    set(2, line - signal);
  }

 private:
  int skip_;
  ExponentialMean fast_, slow_, signal_;
};

}  // namespace tradewind::indicators
