// Core: how long to wait before the next attempt. Deterministic: one client per account needs no jitter.
#pragma once

#include <algorithm>
#include <chrono>

namespace tradewind {

class Backoff {
 public:
  using Duration = std::chrono::milliseconds;
  Backoff(Duration first, Duration last) : first_(first), last_(last), next_(first) {}

  [[nodiscard]] Duration next() {
    const Duration now = next_;
    next_ = std::min(last_, next_ * 2);
    return now;
  }
  void reset() { next_ = first_; }

 private:
  Duration first_, last_, next_;
};

}  // namespace tradewind
