// Core: mean, variance, skewness, kurtosis, covariance, extremes and quantiles of a window.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace tradewind::indicators {

using Values = std::span<const double>;

// Taken about the first value: exact for a window of equal values, where a plain sum leaves a rounding error that a
// z-score would blow up to any size.
[[nodiscard]] inline double mean(Values values) {
  const double origin = values.front();
  double sum = 0.0;
  for (const double value : values) sum += value - origin;
  return origin + sum / static_cast<double>(values.size());
}

// Sum of (x - mean x)(y - mean y); both spans have the same length.
[[nodiscard]] inline double codeviation(Values x, Values y) {
  const double mean_x = mean(x);
  const double mean_y = mean(y);
  double sum = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - mean_x) * (y[i] - mean_y);
  return sum;
}

[[nodiscard]] inline double population_std(Values values) {
  return std::sqrt(codeviation(values, values) / static_cast<double>(values.size()));
}
[[nodiscard]] inline double sample_variance(Values values) {
  return codeviation(values, values) / static_cast<double>(values.size() - 1);
}
[[nodiscard]] inline double sample_std(Values values) { return std::sqrt(sample_variance(values)); }

// Distance of the newest value from the mean in population standard deviations; 0 when all are equal.
[[nodiscard]] inline double zscore_of_newest(Values values) {
  const double deviation = population_std(values);
  return deviation == 0.0 ? 0.0 : (values.back() - mean(values)) / deviation;
}

[[nodiscard]] inline double central_moment(Values values, int order) {
  const double centre = mean(values);
  double sum = 0.0;
  for (const double value : values) {
    double power = 1.0;
    for (int i = 0; i < order; ++i) power *= value - centre;
    sum += power;
  }
  return sum / static_cast<double>(values.size());
}

[[nodiscard]] inline double highest(Values values) { return *std::max_element(values.begin(), values.end()); }
[[nodiscard]] inline double lowest(Values values) { return *std::min_element(values.begin(), values.end()); }

// Quantile with linear interpolation between order statistics (Hyndman & Fan, 1996, type 7). Reorders scratch.
[[nodiscard]] inline double quantile(std::span<double> scratch, double level) {
  const double rank = level * static_cast<double>(scratch.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const auto position = scratch.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(scratch.begin(), position, scratch.end());
  const double low = *position;
  if (below + 1 == scratch.size()) return low;
  const double high = *std::min_element(position + 1, scratch.end());
  return low + (rank - static_cast<double>(below)) * (high - low);
}

}  // namespace tradewind::indicators
