// Core: fixed-point money and quantities, and fixed-capacity strings. No I/O, no allocation.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind {

// Prices and cash: 1e-8 currency units. Quantities: 1e-9 shares. Times: nanoseconds since the Unix epoch, UTC.
inline constexpr std::int64_t kMoneyScale = 100'000'000;
inline constexpr std::int64_t kQuantityScale = 1'000'000'000;

using Time = std::int64_t;

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

// num / kDen, towards zero as `/` does: by digits of 32 bits, which takes a third of the time of dividing 128 at once.
template <std::uint32_t kDen>
[[nodiscard]] constexpr Int128 quotient(Int128 num) {
  const UInt128 size = num < 0 ? -static_cast<UInt128>(num) : static_cast<UInt128>(num);
  if ((size >> 96) != 0) return num / Int128{kDen};
  const auto high = static_cast<std::uint64_t>(size >> 32);
  const std::uint64_t low = ((high % kDen) << 32) | (static_cast<std::uint64_t>(size) & 0xffff'ffff);
  const auto result = static_cast<Int128>((static_cast<UInt128>(high / kDen) << 32) + low / kDen);
  return num < 0 ? -result : result;
}

// A quotient towards zero and what was left, rounded half to even. Empty when it does not fit in 64 bits: the caller
// must reject.
[[nodiscard]] constexpr std::optional<std::int64_t> round_half_even(Int128 quotient, Int128 remainder, Int128 den) {
  const Int128 twice = (remainder < 0 ? -remainder : remainder) * 2;
  if (twice > den || (twice == den && (quotient % 2) != 0)) quotient += remainder < 0 ? -1 : 1;
  if (quotient > std::numeric_limits<std::int64_t>::max() || quotient < std::numeric_limits<std::int64_t>::min()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(quotient);
}

// num / den rounded half to even. den > 0. Empty when the result does not fit in 64 bits.
[[nodiscard]] constexpr std::optional<std::int64_t> divide_half_even(Int128 num, Int128 den) {
  return round_half_even(num / den, num % den, den);
}

// A price or an amount of cash, in 1e-8 currency units. The type keeps money and quantities apart.
struct Money {
  std::int64_t raw = 0;
  constexpr auto operator<=>(const Money&) const = default;
};

// A signed number of shares, in 1e-9 shares.
struct Quantity {
  std::int64_t raw = 0;
  constexpr auto operator<=>(const Quantity&) const = default;
};

[[nodiscard]] constexpr std::optional<Money> add(Money a, Money b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.raw, b.raw, &sum)) return std::nullopt;
  return Money{sum};
}

[[nodiscard]] constexpr std::optional<Quantity> add(Quantity a, Quantity b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.raw, b.raw, &sum)) return std::nullopt;
  return Quantity{sum};
}

// price * quantity, rounded half-even once to 1e-8. Empty on overflow.
[[nodiscard]] constexpr std::optional<Money> notional(Money price, Quantity quantity) {
  const Int128 product = static_cast<Int128>(price.raw) * quantity.raw;
  const Int128 whole = tradewind::quotient<kQuantityScale>(product);
  const auto value = round_half_even(whole, product - whole * kQuantityScale, kQuantityScale);
  if (!value) return std::nullopt;
  return Money{*value};
}

// A string of at most N bytes held in place; longer input is refused by assign().
template <std::size_t N>
class FixedString {
 public:
  constexpr FixedString() = default;
  constexpr FixedString(std::string_view text) { assign(text); }  // NOLINT(google-explicit-constructor)

  constexpr bool assign(std::string_view text) {
    if (text.size() > N) return false;
    std::copy(text.begin(), text.end(), data_.begin());
    std::fill(data_.begin() + static_cast<std::ptrdiff_t>(text.size()), data_.end(), '\0');
    size_ = static_cast<std::uint8_t>(text.size());
    return true;
  }
  [[nodiscard]] constexpr std::string_view view() const { return {data_.data(), size_}; }
  [[nodiscard]] std::string str() const { return std::string(view()); }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  constexpr bool operator==(const FixedString& other) const { return view() == other.view(); }
  constexpr auto operator<=>(const FixedString& other) const { return view() <=> other.view(); }

 private:
  static_assert(N < 256);
  std::array<char, N> data_{};
  std::uint8_t size_ = 0;
};

}  // namespace tradewind
