// Core: a part of a quantity, rounded to what can be traded.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tradewind/fixed.hpp"

namespace tradewind {

// numerator / denominator, both at most 1e18 and the second positive, so that a product with any quantity fits in 128
// bits.
struct Share {
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;
};

// `quantity` (raw, not negative) times `share`, to the nearest whole increment (half to even), at most `quantity`.
// The whole of a quantity is the quantity itself, whether or not it is in whole increments.
[[nodiscard]] constexpr std::int64_t part_of(std::int64_t quantity, Share share, std::int64_t increment) {
  if (share.numerator >= share.denominator) return quantity;
  const auto steps = divide_half_even(static_cast<Int128>(quantity) * share.numerator,
                                      static_cast<Int128>(share.denominator) * increment);
  return std::min(quantity, steps.value_or(0) * increment);
}

}  // namespace tradewind
