// Core: when the slices of a window begin. Slice i begins `interval` after slice i - 1; the last is followed by the end
// of the window, and later ones (an unfinished order under a participation limit) go on at the same pace.
#pragma once

#include <cstdint>
#include <string_view>

#include "tradewind/fixed.hpp"

namespace tradewind {

struct SliceClock {
  Time start = 0;
  std::int64_t duration = 1;
  std::int64_t interval = 1;
  std::int64_t jitter = 0;  // ppm of the interval
  std::uint64_t seed =
      0;  // of the intent's id: the same intent has the same times on every machine and after a restart

  // Slices in the window: duration / interval, rounded up.
  [[nodiscard]] std::int64_t count() const { return (duration - 1) / interval + 1; }
  [[nodiscard]] Time end() const { return start + duration; }
  // The first slice begins at `start`; those between it and the end of the window are late by up to jitter * interval.
  [[nodiscard]] Time begin(std::int64_t slice) const;
  // The latest slice that has begun; -1 before the start.
  [[nodiscard]] std::int64_t index_at(Time now) const;
};

// FNV-1a, 64 bits (Fowler, Noll, Vo).
[[nodiscard]] std::uint64_t seed_of(std::string_view text);

}  // namespace tradewind
