// Core: floor traders' pivot and its first two supports and resistances, from the bar before.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class PivotPoints final : public Indicator {
 public:
  static constexpr std::string_view kName = "pivot_points";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array<Parameter, 0> kParameters{};
  static constexpr std::array<std::string_view, 5> kOutputs{"pivot", "resistance_1", "support_1", "resistance_2",
                                                            "support_2"};

  PivotPoints() : Indicator(kOutputs.size(), 2) {}
  void update(const Bar& bar) override {
    const double pivot = typical_price(before_);
    const double range = before_.high - before_.low;
    set(0, pivot);
    set(1, 2.0 * pivot - before_.low);
    set(2, 2.0 * pivot - before_.high);
    set(3, pivot + range);
    set(4, pivot - range);
    before_ = bar;
  }

 private:
  Bar before_;
};

}  // namespace tradewind::indicators
