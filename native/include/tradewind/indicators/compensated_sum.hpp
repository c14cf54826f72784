// Core: a running sum whose rounding error does not grow with its length (Neumaier, 1974).
#pragma once

#include <cmath>

namespace tradewind::indicators {

class CompensatedSum {
 public:
  void add(double value) {
    const double next = sum_ + value;
    lost_ += std::abs(sum_) >= std::abs(value) ? (sum_ - next) + value : (value - next) + sum_;
    sum_ = next;
  }
  [[nodiscard]] double value() const { return sum_ + lost_; }

 private:
  double sum_ = 0.0;
  double lost_ = 0.0;
};

}  // namespace tradewind::indicators
