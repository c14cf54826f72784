// Core: commodity channel index of the typical price (Lambert, 1980); 0 where it did not move.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Cci final : public Indicator {
 public:
  static constexpr std::string_view kName = "cci";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  explicit Cci(int window) : Indicator(kOutputs.size(), window), prices_(window) {}
  void update(const Bar& bar) override {
    prices_.push(typical_price(bar));
    if (!prices_.full()) return;
    const auto prices = prices_.values();
    const double centre = mean(prices);
    double deviation = 0.0;
    for (const double price : prices) deviation += std::abs(price - centre);
    deviation /= static_cast<double>(prices.size());
    set(0, ratio(prices.back() - centre, 0.015 * deviation, 0.0));
  }

 private:
  Window prices_;
};

}  // namespace tradewind::indicators
