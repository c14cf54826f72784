// Core: one book of one symbol: position, cost of what is open, realised profit. Exact: cash moved == realised - cost.
#pragma once

#include <cstdint>
#include <span>

#include "tradewind/fixed.hpp"

namespace tradewind {

struct Book {
  std::int64_t position = 0;  // signed, 1e-9 shares
  std::int64_t cost = 0;      // sum of price * quantity of what is open, sign of the position, 1e-8
  std::int64_t realized = 0;  // 1e-8

  bool operator==(const Book&) const = default;
  [[nodiscard]] std::int64_t average_price() const;  // 1e-8; 0 when flat
};

// The book after trading `quantity` (signed) for `amount` (signed as the quantity; cash falls by it). What closes
// releases its share of the cost, rounded half to even once; what opens adds to it. nullopt on overflow.
[[nodiscard]] std::optional<Book> traded(const Book& book, std::int64_t quantity, std::int64_t amount);

// Splits `quantity` over signed `weights` in proportion, by largest remainder (ties: the lower index), so that the
// parts add up to `quantity` exactly. Parts are multiples of `lot` when quantity and weights are. The weights' sum must
// not be 0. Sides opposite to the sum get parts of their own sign: the crossing inside the account.
void allocate(std::span<const std::int64_t> weights, std::int64_t quantity, std::int64_t lot,
              std::span<std::int64_t> parts);

// price * part for each part, rounded half to even, with the rounding left over given to the largest part, so that the
// amounts add up to `total`. False on overflow.
[[nodiscard]] bool price_parts(std::span<const std::int64_t> parts, Money price, std::int64_t total,
                               std::span<std::int64_t> amounts);

}  // namespace tradewind
