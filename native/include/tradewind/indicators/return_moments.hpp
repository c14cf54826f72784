// Core: mean, deviation, skewness and excess kurtosis of n log returns.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

// Sample deviation; skewness and kurtosis are the bias-adjusted G1 and G2 (Joanes & Gill, 1998), 0 where nothing moved.
class ReturnMoments final : public Indicator {
 public:
  static constexpr std::string_view kName = "return_moments";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 4)};
  static constexpr std::array<std::string_view, 4> kOutputs{"mean", "std", "skew", "kurtosis"};

  explicit ReturnMoments(int window) : Indicator(kOutputs.size(), window + 1), returns_(window) {}

  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    if (std::isnan(change)) return;
    returns_.push(change);
    if (!returns_.full()) return;
    const auto returns = returns_.values();
    const auto n = static_cast<double>(returns.size());
    set(0, mean(returns));
    set(1, sample_std(returns));
    const double m2 = central_moment(returns, 2);
    const double g1 = ratio(central_moment(returns, 3), m2 * std::sqrt(m2), 0.0);
    set(2, g1 * std::sqrt(n * (n - 1.0)) / (n - 2.0));
    const double g2 = central_moment(returns, 4) / (m2 * m2) - 3.0;
    set(3, m2 == 0.0 ? 0.0 : (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g2 + 6.0));
  }

 private:
  LogReturn1 return_;
  Window returns_;
};

}  // namespace tradewind::indicators
