// Core: a log-linear histogram of durations (after G. Tene's HdrHistogram): 64 linear steps per power of two, so that a
// reported percentile is at most 1/64 above the true one. One writer; readers on other threads see a recent state.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace tradewind {

class LatencyHistogram {
 public:
  // Negative durations (a clock that stepped) count as zero.
  void record(std::int64_t nanoseconds) {
    const auto value = static_cast<std::uint64_t>(nanoseconds < 0 ? 0 : nanoseconds);
    auto& bucket = counts_[index_of(value)];
    bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    total_.store(total_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t count() const { return total_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }

  // The smallest bucket's upper edge below which at least `quantile` (0..1] of the values lie; 0 when there are none.
  [[nodiscard]] std::uint64_t quantile(double quantile) const {
    const std::uint64_t total = count();
    if (total == 0) return 0;
    const double exact = quantile * static_cast<double>(total);
    auto rank = static_cast<std::uint64_t>(exact);
    if (static_cast<double>(rank) < exact) ++rank;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i].load(std::memory_order_relaxed);
      if (seen >= rank && seen > 0) return std::min(upper_edge(i), max());
    }
    return max();
  }

 private:
  static constexpr unsigned kStepBits = 6;
  static constexpr std::uint64_t kSteps = 1U << kStepBits;

  // Values below 64 have a bucket each; above, the leading bit picks the row and the next six bits the column.
  [[nodiscard]] static std::size_t index_of(std::uint64_t value) {
    if (value < kSteps) return value;
    const auto row = static_cast<unsigned>(std::bit_width(value)) - kStepBits;  // >= 1
    return row * kSteps + ((value >> (row - 1)) - kSteps);
  }
  [[nodiscard]] static std::uint64_t upper_edge(std::size_t index) {
    if (index < kSteps) return index;
    const auto row = index / kSteps;
    return ((kSteps + index % kSteps + 1) << (row - 1)) - 1;
  }

  std::array<std::atomic<std::uint64_t>, (64 - kStepBits + 1) * kSteps> counts_{};
  std::atomic<std::uint64_t> total_{0};
  std::atomic<std::uint64_t> max_{0};
};

}  // namespace tradewind
