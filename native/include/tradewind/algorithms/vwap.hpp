// Core: volume-weighted average price: follow the market's volume as the curve forecasts it, corrected by what came.
#pragma once

#include <cstdint>

#include "tradewind/algorithms/share.hpp"

namespace tradewind {

struct VolumeForecast {
  std::int64_t observed = 0;  // traded since the window began
  std::int64_t before = 0;    // the curve's volume of that time
  std::int64_t slice = 0;     // ... of the slice that begins
  std::int64_t after = 0;     // ... of the rest of the window
};

// Share of the total that is to be done by the end of the slice that begins:
//   (V + c w) / (V + c (w + a)),   c = (V + H) / (E + H),   H = (E + w + a) / 2
// with V observed, E before, w slice, a after. c scales the rest of the curve by what came so far, held back towards 1
// as if half a window of ordinary volume had been seen as well (the posterior mean of a Gamma-Poisson rate).
// Zero over zero when the curve knows nothing of the window: then the caller takes equal slices.
[[nodiscard]] Share vwap_target(VolumeForecast forecast);

}  // namespace tradewind
