// Core: average true range (Wilder, 1978).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Atr final : public Indicator {
 public:
  static constexpr std::string_view kName = "atr";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 14)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Atr(int window) : Indicator(kOutputs.size(), window + 1), range_(window) {}
  void update(const Bar& bar) override { set(0, range_.push(bar)); }

 private:
  AverageTrueRange range_;
};

}  // namespace tradewind::indicators
