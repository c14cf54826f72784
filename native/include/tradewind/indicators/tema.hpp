// Core: triple exponential moving average, 3 EMA - 3 EMA(EMA) + EMA(EMA(EMA)) (Mulloy, 1994).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Tema final : public Indicator {
 public:
  static constexpr std::string_view kName = "tema";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Tema(int window)
      : Indicator(kOutputs.size(), 3 * window - 2), first_(window), second_(window), third_(window) {}
  void update(const Bar& bar) override {
    const double once = first_.push(bar.close);
    const double twice = second_.push(once);
    set(0, 3.0 * once - 3.0 * twice + third_.push(twice));
  }

 private:
  ExponentialMean first_, second_, third_;
};

}  // namespace tradewind::indicators
