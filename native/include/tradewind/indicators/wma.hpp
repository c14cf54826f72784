// Core: linearly weighted moving average of the close.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

class Wma final : public Indicator {
 public:
  static constexpr std::string_view kName = "wma";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Wma(int window) : Indicator(kOutputs.size(), window), mean_(window) {}
  void update(const Bar& bar) override { set(0, mean_.push(bar.close)); }

 private:
  WeightedMean mean_;
};

}  // namespace tradewind::indicators
