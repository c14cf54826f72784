// Core: what the algorithms know of a symbol's market: volume so far, its daily curve, and whether the market has
// changed lately. Fed from bars; whole numbers.
#pragma once

#include <cstdint>

#include "tradewind/algorithms/plan.hpp"
#include "tradewind/algorithms/volume_curve.hpp"

namespace tradewind {

// A mean that remembers about `memory` values: the plain mean of the first ones, then exponentially weighted.
class RunningMean {
 public:
  explicit constexpr RunningMean(std::int64_t memory) : memory_(memory) {}
  void add(std::int64_t value);  // 0 <= value <= 1e15
  [[nodiscard]] std::int64_t value() const { return scaled_ / kScale; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  // value() / slow.value() in ppm, between a quarter and four; 1 when one of them is 0.
  [[nodiscard]] std::int64_t ratio(const RunningMean& slow) const;

 private:
  static constexpr std::int64_t kScale = 1024;
  std::int64_t memory_;
  std::int64_t scaled_ = 0;
  std::int64_t count_ = 0;
};

class MarketTape {
 public:
  // A bar that ended at `time`: its close and its volume. Times must not go back.
  void add(Time time, Money close, std::int64_t volume);

  [[nodiscard]] std::int64_t total_volume() const { return total_volume_; }  // of all bars so far
  [[nodiscard]] const VolumeCurve& curve() const { return curve_; }
  [[nodiscard]] std::int64_t average_volume() const { return slow_volume_.value(); }  // per bar
  // Of the last 8 bars to the last 64, ppm, between a quarter and four: squared returns, volume.
  [[nodiscard]] std::int64_t variance_ratio() const { return fast_variance_.ratio(slow_variance_); }
  [[nodiscard]] std::int64_t volume_ratio() const { return fast_volume_.ratio(slow_volume_); }

 private:
  static constexpr std::int64_t kFast = 8, kSlow = 64;
  VolumeCurve curve_;
  RunningMean fast_variance_{kFast}, slow_variance_{kSlow};  // squared returns in ppm squared
  RunningMean fast_volume_{kFast}, slow_volume_{kSlow};
  std::int64_t total_volume_ = 0;
  Money last_close_;
};

}  // namespace tradewind
