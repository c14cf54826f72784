// Core: least-squares line through n closes against bar number.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "tradewind/indicators/indicator.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

namespace tradewind::indicators {

// `residual` is the newest close less the line there; `r2` is 0 for constant closes.
class Regression final : public Indicator {
 public:
  static constexpr std::string_view kName = "regression";
  static constexpr int kArithmeticVersion = 1;
  static constexpr std::array kParameters{bars("window", 20, 3)};
  static constexpr std::array<std::string_view, 5> kOutputs{"value", "slope", "r2", "residual", "standard_error"};

  explicit Regression(int window)
      : Indicator(kOutputs.size(), window), closes_(window), numbers_(static_cast<std::size_t>(window)) {
    for (std::size_t i = 0; i < numbers_.size(); ++i) numbers_[i] = static_cast<double>(i);
  }

  void update(const Bar& bar) override {
    closes_.push(bar.close);
    if (!closes_.full()) return;
    const auto closes = closes_.values();
    const double sxx = codeviation(numbers_, numbers_);
    const double sxy = codeviation(numbers_, closes);
    const double syy = codeviation(closes, closes);
    const double slope = sxy / sxx;
    const auto n = static_cast<double>(closes.size());
    const double newest = mean(closes) + slope * (n - 1.0) / 2.0;
    set(0, newest);
    set(1, slope);
    set(2, std::min(1.0, ratio(sxy * slope, syy, 0.0)));
    set(3, bar.close - newest);
    set(4, std::sqrt(std::max(0.0, syy - slope * sxy) / (n - 2.0)));
  }

 private:
  Window closes_;
  std::vector<double> numbers_;
};

}  // namespace tradewind::indicators
