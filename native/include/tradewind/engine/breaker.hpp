// Core: a circuit breaker for something outside that may fail: closed, open after failures, half open for one trial.
// Time is an argument. (M. Nygard, Release It!, 2nd ed., section 5.2.)
#pragma once

#include <algorithm>
#include <cstdint>

#include "tradewind/fixed.hpp"

namespace tradewind {

enum class BreakerState : std::uint8_t { kClosed = 0, kOpen = 1, kHalfOpen = 2 };

struct Breaker {
  BreakerState state = BreakerState::kClosed;
  std::int64_t failures = 0;  // in a row
  std::uint32_t trips = 0;    // since it was last closed: each pause is twice as long as the one before
  Time until = 0;             // open: no trial before

  static constexpr std::uint32_t kMostDoublings = 5;

  // True: it has opened with this failure. What fails while it is open was sent before.
  bool failed(Time now, std::int64_t most, std::int64_t pause) {
    ++failures;
    if (state == BreakerState::kOpen || (state == BreakerState::kClosed && failures < most)) return false;
    state = BreakerState::kOpen;
    until = now + (pause << std::min(trips++, kMostDoublings));
    return true;
  }
  // True: a trial has closed it. One lucky answer while it is open is none.
  bool succeeded() {
    failures = 0;
    if (state != BreakerState::kHalfOpen) return false;
    *this = Breaker{};
    return true;
  }
  // True: the pause is over, and one trial may be made.
  bool due(Time now) {
    if (state != BreakerState::kOpen || now < until) return false;
    state = BreakerState::kHalfOpen;
    return true;
  }
};

}  // namespace tradewind
