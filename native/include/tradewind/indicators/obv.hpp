// Core: on-balance volume (Granville, 1963), and its z-score over n bars.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/compensated_sum.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Obv final : public Indicator {
 public:
  static constexpr std::string_view kName = "obv";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 2)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "zscore"};

  explicit Obv(int window) : Indicator(kOutputs.size(), window), history_(window) {}
  void update(const Bar& bar) override {
    const double before = close_.push(bar.close);
    if (std::isnan(before) || bar.close > before) {  // the first bar's volume opens the balance
      sum_.add(bar.volume);
    } else if (bar.close < before) {
      sum_.add(-bar.volume);
    }
    set(0, sum_.value());
    history_.push(sum_.value());
    if (history_.full()) set(1, zscore_of_newest(history_.values()));
  }

 private:
  Previous close_;
  CompensatedSum sum_;
  Window history_;
};

}  // namespace tradewind::indicators
