// Core: accumulation/distribution line (Chaikin), and its z-score over n bars.
#pragma once

#include <array>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/compensated_sum.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class AccumulationDistribution final : public Indicator {
 public:
  static constexpr std::string_view kName = "accumulation_distribution";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 2)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "zscore"};

  explicit AccumulationDistribution(int window) : Indicator(kOutputs.size(), window), history_(window) {}
  void update(const Bar& bar) override {
    sum_.add(close_location(bar) * bar.volume);
    set(0, sum_.value());
    history_.push(sum_.value());
    if (history_.full()) set(1, zscore_of_newest(history_.values()));
  }

 private:
  CompensatedSum sum_;
  Window history_;
};

}  // namespace tradewind::indicators
