// Core: autocorrelation of n log returns at a lag; 0 where nothing moved (Box & Jenkins, 1970).
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "tradewind/indicators/bar_measures.hpp"
#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

class Autocorrelation final : public Indicator {
 public:
  static constexpr std::string_view kName = "autocorrelation";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 60, 2), bars("lag", 1)};
  static constexpr std::array<std::string_view, 1> kOutputs{"value"};

  Autocorrelation(int window, int lag)
      : Indicator(kOutputs.size(), window + 1), returns_(window), lag_(static_cast<std::size_t>(lag)) {
    if (lag >= window) throw IndicatorError("autocorrelation: lag must be below window");
  }

  void update(const Bar& bar) override {
    const double change = return_.push(bar.close);
    if (std::isnan(change)) return;
    returns_.push(change);
    if (!returns_.full()) return;
    const auto returns = returns_.values();
    const double centre = mean(returns);
    double sum = 0.0;
    for (std::size_t i = lag_; i < returns.size(); ++i) sum += (returns[i] - centre) * (returns[i - lag_] - centre);
    set(0, ratio(sum, codeviation(returns, returns), 0.0));
  }

 private:
  LogReturn1 return_;
  Window returns_;
  std::size_t lag_;
};

}  // namespace tradewind::indicators
