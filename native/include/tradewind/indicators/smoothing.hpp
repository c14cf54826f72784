// Core: moving averages of any stream of numbers, the parts that indicators are made of.
#pragma once

#include <cmath>
#include <cstddef>

#include "tradewind/indicators/bar.hpp"
#include "tradewind/indicators/moments.hpp"
#include "tradewind/indicators/window.hpp"

// push() answers NaN until warm, and passes over a NaN input: so a chain of averages warms up link by link.
namespace tradewind::indicators {

class SimpleMean {
 public:
  explicit SimpleMean(int window) : window_(window) {}
  double push(double value) {
    if (std::isnan(value)) return kNaN;
    window_.push(value);
    return window_.full() ? mean(window_.values()) : kNaN;
  }

 private:
  Window window_;
};

// Weights 1, 2, ... n; the newest weighs n.
class WeightedMean {
 public:
  explicit WeightedMean(int window) : window_(window) {}
  double push(double value) {
    if (std::isnan(value)) return kNaN;
    window_.push(value);
    if (!window_.full()) return kNaN;
    double sum = 0.0;
    double weight = 0.0;
    double total = 0.0;
    for (const double x : window_.values()) {
      weight += 1.0;
      sum += weight * x;
      total += weight;
    }
    return sum / total;
  }

 private:
  Window window_;
};

// Mean of the first n values, then one recursive step per value.
class SeededMean {
 public:
  [[nodiscard]] double value() const { return value_; }
  [[nodiscard]] int window() const { return window_; }

 protected:
  explicit SeededMean(int window) : window_(window) {}
  // True when the value went into the seed.
  bool seed(double value) {
    if (count_ == window_) return false;
    sum_ += value;
    if (++count_ == window_) value_ = sum_ / window_;
    return true;
  }
  double value_ = kNaN;

 private:
  int window_;
  int count_ = 0;
  double sum_ = 0.0;
};

// Exponential: alpha = 2 / (n + 1).
class ExponentialMean : public SeededMean {
 public:
  explicit ExponentialMean(int window) : SeededMean(window), alpha_(2.0 / (window + 1.0)) {}
  double push(double value) {
    if (std::isnan(value)) return kNaN;
    if (!seed(value)) value_ += alpha_ * (value - value_);
    return value_;
  }

 private:
  double alpha_;
};

// Wilder (1978): alpha = 1 / n.
class WilderMean : public SeededMean {
 public:
  explicit WilderMean(int window) : SeededMean(window) {}
  double push(double value) {
    if (std::isnan(value)) return kNaN;
    if (!seed(value)) value_ = (value_ * (window() - 1) + value) / window();
    return value_;
  }
};

}  // namespace tradewind::indicators
