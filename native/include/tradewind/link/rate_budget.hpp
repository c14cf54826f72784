// Core: the broker's request budget as a token bucket that always keeps room for cancels. Time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tradewind {

class RateBudget {
 public:
  // per_minute <= 0: no limit (the simulated venue). The last `cancel_reserve` tokens are given to cancels only.
  RateBudget(int per_minute, int cancel_reserve) : per_minute_(per_minute), reserve_(cancel_reserve) {}

  // Takes one request's worth at `now_ns` (any monotonic clock), or says no.
  [[nodiscard]] bool take(std::int64_t now_ns, bool cancel) {
    if (per_minute_ <= 0) return true;
    refill(now_ns);
    const std::int64_t floor = cancel ? 0 : static_cast<std::int64_t>(reserve_) * kToken;
    if (level_ - kToken < floor) return false;
    level_ -= kToken;
    return true;
  }

  // The broker said 429: whatever we counted, its bucket is empty.
  void exhaust(std::int64_t now_ns) {
    if (per_minute_ <= 0) return;
    refill(now_ns);
    level_ = std::min(level_, static_cast<std::int64_t>(reserve_) * kToken);
  }

 private:
  static constexpr std::int64_t kToken = 60'000'000'000;  // one token refills in kToken / per_minute ns

  void refill(std::int64_t now_ns) {
    const std::int64_t full = static_cast<std::int64_t>(per_minute_) * kToken;
    if (!started_) {
      started_ = true;
      level_ = full;
    } else {
      // A minute fills any bucket: a longer pause must not overflow the product.
      const std::int64_t elapsed = std::clamp<std::int64_t>(now_ns - last_ns_, 0, kToken);
      level_ = std::min(full, level_ + elapsed * per_minute_);
    }
    last_ns_ = now_ns;
  }

  int per_minute_;
  int reserve_;
  bool started_ = false;
  std::int64_t level_ = 0;
  std::int64_t last_ns_ = 0;
};

}  // namespace tradewind
