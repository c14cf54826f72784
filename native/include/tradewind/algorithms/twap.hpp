// Core: time-weighted average price: equal slices.
#pragma once

#include "tradewind/algorithms/share.hpp"

namespace tradewind {

// What the next of `slices_left` equal slices takes of what is left. Planned anew from what is left, the slices of an
// order that fills in full are total / (duration / interval) each.
[[nodiscard]] constexpr Share twap_share(std::int64_t slices_left) {
  return slices_left <= 1 ? Share{1, 1} : Share{1, slices_left};
}

}  // namespace tradewind
