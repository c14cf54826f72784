// Core: decimal text to and from fixed-point integers, exactly.
#include "tradewind/engine/decimal.hpp"

namespace tradewind {

std::optional<std::int64_t> parse_decimal(std::string_view text, int digits) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::int64_t value = 0;
  int places = -1;  // -1: no point seen
  bool any = false;
  const auto push = [&value](int digit) {
    return !__builtin_mul_overflow(value, std::int64_t{10}, &value) &&
           !__builtin_sub_overflow(value, std::int64_t{digit}, &value);
  };
  for (const char c : text) {
    if (c == '.' && places < 0) {
      places = 0;
      continue;
    }
    if (c < '0' || c > '9' || places == digits || !push(c - '0')) return std::nullopt;
    if (places >= 0) ++places;
    any = true;
  }
  for (int i = places < 0 ? 0 : places; i < digits; ++i) {
    if (!push(0)) return std::nullopt;
  }
  if (!any || text.ends_with('.')) return std::nullopt;
  // Built up below zero, where there is one value more.
  if (!negative && __builtin_sub_overflow(std::int64_t{0}, value, &value)) return std::nullopt;
  return value;
}

std::string format_decimal(std::int64_t raw, int digits) {
  auto size = raw < 0 ? 0 - static_cast<std::uint64_t>(raw) : static_cast<std::uint64_t>(raw);
  std::string text;
  for (int i = 0; i < digits || size != 0 || text.empty() || text.back() == '.'; ++i) {
    if (i == digits && digits > 0) text.push_back('.');
    text.push_back(static_cast<char>('0' + size % 10));
    size /= 10;
  }
  if (digits > 0 && text.size() == static_cast<std::size_t>(digits)) text += ".0";
  if (raw < 0) text.push_back('-');
  std::string out(text.rbegin(), text.rend());
  if (digits > 0) {
    while (out.back() == '0') out.pop_back();
    if (out.back() == '.') out.pop_back();
  }
  return out;
}

}  // namespace tradewind
