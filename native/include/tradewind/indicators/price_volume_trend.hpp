// Core: price-volume trend: volume summed in proportion to the return, and its z-score.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/compensated_sum.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class PriceVolumeTrend final : public Indicator {
 public:
  static constexpr std::string_view kName = "price_volume_trend";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 2)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "zscore"};

  explicit PriceVolumeTrend(int window) : Indicator(kOutputs.size(), window + 1), history_(window) {}
  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    if (std::isnan(change)) return;
    sum_.add(change * bar.volume);
    set(0, sum_.value());
    history_.push(sum_.value());
    if (history_.full()) set(1, zscore_of_newest(history_.values()));
  }

 private:
  SimpleReturn1 return_;
  CompensatedSum sum_;
  Window history_;
};

}  // namespace tradewind::indicators
