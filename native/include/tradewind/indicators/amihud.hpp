// Core: Amihud (2002) illiquidity: mean of |return| per million of money traded.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// `relative` is the newest bar's figure over that mean, 1 where the mean is 0. A bar without volume counts 0.
class Amihud final : public Indicator {
 public:
  static constexpr std::string_view kName = "amihud";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value", "relative"};

  explicit Amihud(int window) : Indicator(kOutputs.size(), window + 1), mean_(window) {}
  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    if (std::isnan(change)) return;
    const double impact = ratio(std::abs(change) * 1e6, bar.close * bar.volume, 0.0);
    const double usual = mean_.push(impact);
    set(0, usual);
    set(1, ratio(impact, usual, 1.0));
  }

 private:
  SimpleReturn1 return_;
  SimpleMean mean_;
};

}  // namespace tradewind::indicators
