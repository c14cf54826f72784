// Core: double exponential moving average, 2 EMA - EMA(EMA) (Mulloy, 1994).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Dema final : public Indicator {
 public:
  static constexpr std::string_view kName = "dema";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Dema(int window) : Indicator(kOutputs.size(), 2 * window - 1), first_(window), second_(window) {}
  void update(const Bar& bar) override {
    const double once = first_.push(bar.close);
    set(0, 2.0 * once - second_.push(once));
  }

 private:
  ExponentialMean first_, second_;
};

}  // namespace tradewind::indicators
