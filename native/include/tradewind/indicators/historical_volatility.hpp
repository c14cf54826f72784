// Core: realised volatility: sample deviation of log returns, per bar and annualised (a fraction).
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class HistoricalVolatility final : public Indicator {
 public:
  static constexpr std::string_view kName = "historical_volatility";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 21, 2), real("bars_per_year", 252, 1, 1e7)};
  static constexpr std::array<std::string_view, 2> kOutputs{"bar", "annual"};

  HistoricalVolatility(int window, double bars_per_year)
      : Indicator(kOutputs.size(), window + 1), returns_(window), year_(std::sqrt(bars_per_year)) {}
  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    if (std::isnan(change)) return;
    returns_.push(change);
    if (!returns_.full()) return;
    const double deviation = sample_std(returns_.values());
    set(0, deviation);
    set(1, deviation * year_);
  }

 private:
  LogReturn1 return_;
  Window returns_;
  double year_;
};

}  // namespace tradewind::indicators
