// Core: see vwap.hpp.
#include "tradewind/algorithms/vwap.hpp"

#include <algorithm>

namespace tradewind {

Share vwap_target(VolumeForecast forecast) {
  constexpr std::int64_t kLargest = 1'000'000'000'000;  // so that products of two, times the scale, fit in 128 bits
  constexpr std::int64_t kScale = 1'000'000'000'000;
  auto [observed, before, slice, after] = forecast;
  while (std::max({observed, before, slice, after}) > kLargest) {
    observed /= 2;
    before /= 2;
    slice /= 2;
    after /= 2;
  }
  if (slice + after == 0) return {0, 0};
  // Doubled, so that H is whole.
  const Int128 expected = Int128{2} * before + (before + slice + after);
  const Int128 came = Int128{2} * observed + (before + slice + after);
  const Int128 done = observed * expected + came * slice;
  const Int128 all = observed * expected + came * (slice + after);
  return {static_cast<std::int64_t>(done * kScale / all), kScale};
}

}  // namespace tradewind
