// Core: what one bar and the one before it measure: typical price, true range, return, money flow.
#pragma once

#include <algorithm>
#include <cmath>

#include "tradewind/indicators/bar.hpp"
#include "tradewind/indicators/elementary.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {

[[nodiscard]] constexpr double typical_price(const Bar& bar) { return (bar.high + bar.low + bar.close) / 3.0; }
[[nodiscard]] constexpr double midpoint(const Bar& bar) { return (bar.high + bar.low) / 2.0; }

// Where the close lies in the bar's range: -1 at the low, 1 at the high, 0 for a bar without range.
[[nodiscard]] constexpr double close_location(const Bar& bar) {
  const double range = bar.high - bar.low;
  return range == 0.0 ? 0.0 : ((bar.close - bar.low) - (bar.high - bar.close)) / range;
}

// The value before the one being pushed; NaN at first.
class Previous {
 public:
  double push(double value) {
    const double before = value_;
    value_ = value;
    return before;
  }

 private:
  double value_ = kNaN;
};

class SimpleReturn1 {
 public:
  double push(double price) { return price / previous_.push(price) - 1.0; }

 private:
  Previous previous_;
};

class LogReturn1 {
 public:
  double push(double price) {
    const double before = previous_.push(price);
    return std::isnan(before) ? kNaN : natural_log(price / before);
  }

 private:
  Previous previous_;
};

// Wilder (1978). NaN on the first bar, which has no previous close.
class TrueRange1 {
 public:
  double push(const Bar& bar) {
    const double before = previous_.push(bar.close);
    if (std::isnan(before)) return kNaN;
    return std::max({bar.high - bar.low, std::abs(bar.high - before), std::abs(bar.low - before)});
  }

 private:
  Previous previous_;
};

// Wilder's mean of the true range; its first value comes with bar n + 1.
class AverageTrueRange {
 public:
  explicit AverageTrueRange(int window) : mean_(window) {}
  double push(const Bar& bar) { return mean_.push(true_range_.push(bar)); }

 private:
  TrueRange1 true_range_;
  WilderMean mean_;
};

}  // namespace tradewind::indicators
