// Core: a part of the volume that others trade.
#pragma once

#include <cstdint>

#include "tradewind/algorithms/plan.hpp"
#include "tradewind/fixed.hpp"

namespace tradewind {

// The most that may have been released after the market traded `volume` whole units: participation (ppm) of it, in
// whole increments, rounded down. Only volume that has been seen counts, so the limit is never passed by a forecast.
[[nodiscard]] constexpr std::int64_t participation_cap(std::int64_t volume, std::int64_t participation,
                                                       std::int64_t increment) {
  const Int128 raw = static_cast<Int128>(volume) * participation * (kQuantityScale / kPpm);
  const Int128 top = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(raw < top ? raw : top) / increment * increment;
}

}  // namespace tradewind
