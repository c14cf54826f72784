// Core: exponential moving average of the close, seeded with the mean of the first n.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Ema final : public Indicator {
 public:
  static constexpr std::string_view kName = "ema";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Ema(int window) : Indicator(kOutputs.size(), window), mean_(window) {}
  void update(const Bar& bar) override { set(0, mean_.push(bar.close)); }

 private:
  ExponentialMean mean_;
};

}  // namespace tradewind::indicators
