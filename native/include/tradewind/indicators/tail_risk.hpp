// Core: historical value at risk and expected shortfall of n log returns, as positive losses.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class TailRisk final : public Indicator {
 public:
  static constexpr std::string_view kName = "tail_risk";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 60, 2), real("level", 0.05, 0.0001, 0.5)};
  static constexpr std::array<std::string_view, 2> kOutputs{"value_at_risk", "expected_shortfall"};

  TailRisk(int window, double level)
      : Indicator(kOutputs.size(), window + 1),
        returns_(window),
        scratch_(static_cast<std::size_t>(window)),
        level_(level) {}

  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    if (std::isnan(change)) return;
    returns_.push(change);
    if (!returns_.full()) return;
    const auto returns = returns_.values();
    std::copy(returns.begin(), returns.end(), scratch_.begin());
    const double threshold = quantile(scratch_, level_);
    double sum = 0.0;
    double count = 0.0;
    for (const double value : returns) {
      if (value > threshold) continue;
      sum += value;
      count += 1.0;
    }
    set(0, -threshold);
    set(1, -sum / count);  // the smallest return is never above the quantile
  }

 private:
  LogReturn1 return_;
  Window returns_;
  std::vector<double> scratch_;
  double level_;
};

}  // namespace tradewind::indicators
