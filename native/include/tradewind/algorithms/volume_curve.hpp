// Core: how a symbol's volume is spread over the day, learnt from its own bars.
#pragma once

#include <array>
#include <cstdint>

#include "tradewind/fixed.hpp"

namespace tradewind {

// Mean volume of each five minutes of the UTC day. The first 20 days count alike, then each new day counts 1/20. A day
// is added when the next one begins, so nothing of the day in progress is in its own forecast.
class VolumeCurve {
 public:
  static constexpr std::int64_t kBuckets = 288;
  static constexpr std::int64_t kDaysRemembered = 20;

  // A bar that ended at `time`. Times must not go back; volume is not negative.
  void add(Time time, std::int64_t volume);
  // Volume to be expected in [from, to), at most a day; parts of a bucket in proportion. 0 while no day is complete.
  [[nodiscard]] std::int64_t expected(Time from, Time to) const;
  [[nodiscard]] std::int64_t days() const { return days_; }

 private:
  std::array<std::int64_t, kBuckets> mean_{};
  std::array<std::int64_t, kBuckets> today_{};
  std::int64_t day_ = 0;
  std::int64_t days_ = 0;
  bool begun_ = false;
};

}  // namespace tradewind
