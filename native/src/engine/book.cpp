// Core: arithmetic of books and of allocation.
#include "tradewind/engine/book.hpp"

#include <array>
#include <cstdlib>

#include "tradewind/engine/config.hpp"

namespace tradewind {
namespace {

bool same_side(std::int64_t a, std::int64_t b) { return (a < 0) == (b < 0); }

// a * b / c, half to even, for c of any sign. Empty for c = 0 and when it does not fit.
std::optional<std::int64_t> scaled(std::int64_t a, std::int64_t b, std::int64_t c) {
  if (c == 0) return std::nullopt;
  const Int128 num = static_cast<Int128>(a) * b;
  return c < 0 ? divide_half_even(-num, -static_cast<Int128>(c)) : divide_half_even(num, c);
}

}  // namespace

std::int64_t Book::average_price() const {
  if (position == 0) return 0;
  return scaled(cost, kQuantityScale, position).value_or(0);
}

std::optional<Book> traded(const Book& book, std::int64_t quantity, std::int64_t amount) {
  Book next = book;
  if (quantity == 0 && amount == 0) return next;
  if (__builtin_add_overflow(book.position, quantity, &next.position)) return std::nullopt;
  if (book.position == 0 || same_side(book.position, quantity)) {
    if (__builtin_add_overflow(book.cost, amount, &next.cost)) return std::nullopt;
    return next;
  }
  const bool closes_all = next.position == 0 || !same_side(next.position, book.position);
  const auto released = closes_all ? std::optional(book.cost) : scaled(book.cost, -quantity, book.position);
  const auto closing_amount =
      closes_all && next.position != 0 ? scaled(amount, -book.position, quantity) : std::optional(amount);
  if (!released || !closing_amount) return std::nullopt;
  std::int64_t gain = 0;
  if (__builtin_add_overflow(*closing_amount, *released, &gain)) return std::nullopt;
  if (__builtin_sub_overflow(book.realized, gain, &next.realized)) return std::nullopt;
  next.cost = closes_all ? amount - *closing_amount : book.cost - *released;
  return next;
}

void allocate(std::span<const std::int64_t> weights, std::int64_t quantity, std::int64_t lot,
              std::span<std::int64_t> parts) {
  Int128 total = 0;
  bool whole = quantity % lot == 0;
  for (const std::int64_t weight : weights) {
    total += weight;
    whole = whole && weight % lot == 0;
  }
  if (!whole) lot = 1;
  const Int128 sign = total < 0 ? -1 : 1;
  total *= sign;
  const std::int64_t lots = quantity / lot;
  std::array<Int128, kMaxStrategies> remainder{};
  std::int64_t left = lots;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Int128 product = sign * static_cast<Int128>(weights[i]) * lots;
    Int128 quotient = product / total;  // NOLINT(clang-analyzer-core.DivideZero): the header asks for a sum but 0
    if (product % total < 0) --quotient;
    remainder[i] = product - quotient * total;
    parts[i] = static_cast<std::int64_t>(quotient);
    left -= parts[i];
  }
  while (left > 0) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < weights.size(); ++i) {
      if (remainder[i] > remainder[best]) best = i;
    }
    ++parts[best];
    remainder[best] = -1;
    --left;
  }
  for (std::int64_t& part : parts.first(weights.size())) part *= lot;
}

bool price_parts(std::span<const std::int64_t> parts, Money price, std::int64_t total,
                 std::span<std::int64_t> amounts) {
  std::int64_t left = total;
  std::size_t largest = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto amount = notional(price, Quantity{parts[i]});
    if (!amount || __builtin_sub_overflow(left, amount->raw, &left)) return false;
    amounts[i] = amount->raw;
    if (std::abs(parts[i]) > std::abs(parts[largest])) largest = i;
  }
  return !parts.empty() && !__builtin_add_overflow(amounts[largest], left, &amounts[largest]);
}

}  // namespace tradewind
