// Core: regression of n simple returns on the market's: slope, intercept and correlation.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// A bar without the market's close is passed over: the next return then spans both. A market that did not move gives 0.
class Beta final : public Indicator {
 public:
  static constexpr std::string_view kName = "beta";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 60, 2)};
  static constexpr std::array<std::string_view, 3> kOutputs{"beta", "alpha", "correlation"};

  explicit Beta(int window) : Indicator(kOutputs.size(), window + 1), own_(window), market_(window) {}

  void update(const Bar& bar) override {
    if (std::isnan(bar.market)) return;
    const double own = own_return_.push(bar.close);
    const double market = market_return_.push(bar.market);
    if (std::isnan(own)) return;
    own_.push(own);
    market_.push(market);
    if (!own_.full()) return;
    const double sxy = codeviation(market_.values(), own_.values());
    const double sxx = codeviation(market_.values(), market_.values());
    const double syy = codeviation(own_.values(), own_.values());
    const double beta = ratio(sxy, sxx, 0.0);
    set(0, beta);
    set(1, mean(own_.values()) - beta * mean(market_.values()));
    set(2, std::clamp(ratio(sxy, std::sqrt(sxx) * std::sqrt(syy), 0.0), -1.0, 1.0));
  }

 private:
  SimpleReturn1 own_return_, market_return_;
  Window own_, market_;
};

}  // namespace tradewind::indicators
