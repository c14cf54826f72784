// Core: see market_tape.hpp.
#include "tradewind/algorithms/market_tape.hpp"

#include <algorithm>

namespace tradewind {

void RunningMean::add(std::int64_t value) {
  count_ = std::min(count_ + 1, memory_);
  scaled_ += (value * kScale - scaled_) / count_;
}

std::int64_t RunningMean::ratio(const RunningMean& slow) const {
  if (scaled_ <= 0 || slow.scaled_ <= 0) return kPpm;
  const Int128 ppm = static_cast<Int128>(scaled_) * kPpm / slow.scaled_;
  return static_cast<std::int64_t>(std::clamp<Int128>(ppm, kPpm / 4, Int128{4} * kPpm));
}

void MarketTape::add(Time time, Money close, std::int64_t volume) {
  constexpr std::int64_t kLargest = 1'000'000'000'000'000;
  volume = std::clamp<std::int64_t>(volume, 0, kLargest);
  if (__builtin_add_overflow(total_volume_, volume, &total_volume_)) {
    total_volume_ = std::numeric_limits<std::int64_t>::max();
  }
  curve_.add(time, volume);
  fast_volume_.add(volume);
  slow_volume_.add(volume);
  if (last_close_.raw > 0 && close.raw > 0) {
    const Int128 change = (static_cast<Int128>(close.raw) - last_close_.raw) * kPpm / last_close_.raw;
    const auto ppm = static_cast<std::int64_t>(std::clamp<Int128>(change, -kPpm, kPpm));
    fast_variance_.add(ppm * ppm);
    slow_variance_.add(ppm * ppm);
  }
  last_close_ = close;
}

}  // namespace tradewind
