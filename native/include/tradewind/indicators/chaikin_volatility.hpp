// Core: rate of change of the smoothed bar range, in percent (Chaikin); 0 from no range.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class ChaikinVolatility final : public Indicator {
 public:
  static constexpr std::string_view kName = "chaikin_volatility";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 10), bars("change", 10)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  ChaikinVolatility(int window, int change)
      : Indicator(kOutputs.size(), window + change), mean_(window), history_(change + 1) {}
  void update(const Bar& bar) override {
    const double range = mean_.push(bar.high - bar.low);
    if (std::isnan(range)) return;
    history_.push(range);
    if (history_.full()) set(0, 100.0 * ratio(range - history_.oldest(), history_.oldest(), 0.0));
  }

 private:
  ExponentialMean mean_;
  Window history_;
};

}  // namespace tradewind::indicators
