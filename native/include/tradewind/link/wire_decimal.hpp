// Core: decimal text to scaled integers and back. A price never passes through a float.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tradewind/fixed.hpp"

namespace tradewind {

inline constexpr int kMoneyDigits = 8;
inline constexpr int kQuantityDigits = 9;

// The longest text write_decimal() writes: sign, 19 digits, point, and a leading zero.
inline constexpr std::size_t kDecimalWidth = 22;

enum class Excess : std::uint8_t {
  kRefuse,     // more decimals than the scale holds are an error, unless they are zeros
  kRoundEven,  // averages: round half to even
};

// "-12.5" at `digits` decimals -> -12.5 * 10^digits. Empty when the text is not a plain decimal number (no exponent, no
// sign but '-', at least one digit) or does not fit.
[[nodiscard]] constexpr std::optional<std::int64_t> read_decimal(std::string_view text, int digits,
                                                                 Excess excess = Excess::kRefuse) {
  bool negative = false;
  if (!text.empty() && text.front() == '-') {
    negative = true;
    text.remove_prefix(1);
  }
  Int128 value = 0;
  int decimals = -1;  // -1: before the point
  bool any_digit = false;
  bool above_half = false;  // a nonzero digit beyond the first one cut off
  int first_cut = 0;
  for (const char c : text) {
    if (c == '.') {
      if (decimals >= 0 || !any_digit) return std::nullopt;
      decimals = 0;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    any_digit = true;
    const int digit = c - '0';
    if (decimals >= digits) {
      if (excess == Excess::kRefuse && digit != 0) return std::nullopt;
      if (decimals == digits) {
        first_cut = digit;
      } else if (digit != 0) {
        above_half = true;
      }
      if (decimals <= digits) ++decimals;
      continue;
    }
    if (decimals >= 0) ++decimals;
    value = value * 10 + digit;
    if (value > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  }
  if (!any_digit || decimals == 0) return std::nullopt;
  for (int have = decimals < 0 ? 0 : decimals; have < digits; ++have) value *= 10;
  if (first_cut > 5 || (first_cut == 5 && (above_half || value % 2 != 0))) ++value;
  if (value > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  const auto magnitude = static_cast<std::int64_t>(value);
  return negative ? -magnitude : magnitude;
}

// Writes raw / 10^digits without trailing zeros to `out` (room for kDecimalWidth) and returns the length.
[[nodiscard]] constexpr std::size_t write_decimal(char* out, std::int64_t raw, int digits) {
  std::uint64_t magnitude = raw < 0 ? ~static_cast<std::uint64_t>(raw) + 1 : static_cast<std::uint64_t>(raw);
  char reversed[kDecimalWidth] = {};
  std::size_t length = 0;
  bool significant = false;  // trailing zeros of the fraction are dropped
  for (int i = 0; i < digits; ++i, magnitude /= 10) {
    const auto digit = static_cast<char>('0' + magnitude % 10);
    significant = significant || digit != '0';
    if (significant) reversed[length++] = digit;
  }
  if (significant) reversed[length++] = '.';
  do {
    reversed[length++] = static_cast<char>('0' + magnitude % 10);
    magnitude /= 10;
  } while (magnitude != 0);
  if (raw < 0) reversed[length++] = '-';
  for (std::size_t i = 0; i < length; ++i) out[i] = reversed[length - 1 - i];
  return length;
}

}  // namespace tradewind
