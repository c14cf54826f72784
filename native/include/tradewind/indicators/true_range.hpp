// Core: true range: the bar's range, the gap from the close before included (Wilder, 1978).
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class TrueRange final : public Indicator {
 public:
  static constexpr std::string_view kName = "true_range";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array<Parameter, 0> kParameters{};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  TrueRange() : Indicator(kOutputs.size(), 2) {}
  void update(const Bar& bar) override { set(0, range_.push(bar)); }

 private:
  TrueRange1 range_;
};

}  // namespace tradewind::indicators
