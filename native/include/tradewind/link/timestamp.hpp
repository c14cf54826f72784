// Core: RFC 3339 timestamps to nanoseconds since the Unix epoch. Civil-date arithmetic after H. Hinnant,
// "chrono-Compatible Low-Level Date Algorithms" (days_from_civil), as std::chrono implements it.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "tradewind/fixed.hpp"

namespace tradewind {

namespace detail {
[[nodiscard]] constexpr std::optional<int> fixed_digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}
}  // namespace detail

// "2024-01-02T15:04:05.123456789Z" or with an offset such as -05:00; up to nine fractional digits, further ones cut.
[[nodiscard]] constexpr std::optional<Time> parse_rfc3339(std::string_view text) {
  using detail::fixed_digits;
  const auto year = fixed_digits(text, 0, 4), month = fixed_digits(text, 5, 2), day = fixed_digits(text, 8, 2);
  const auto hour = fixed_digits(text, 11, 2), minute = fixed_digits(text, 14, 2), second = fixed_digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1700 || *year > 2200) return std::nullopt;  // outside what 64-bit nanoseconds hold
  std::int64_t fraction = 0;
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = 100'000'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      fraction += unit * (text[at] - '0');
    }
  }
  std::int64_t offset_minutes = 0;
  if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    offset_minutes = 0;
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    const auto hours = fixed_digits(text, at + 1, 2), minutes = fixed_digits(text, at + 4, 2);
    if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    offset_minutes = (std::int64_t{*hours} * 60 + *minutes) * (text[at] == '-' ? -1 : 1);
  } else {
    return std::nullopt;
  }
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t minutes = days * 1'440 + std::int64_t{*hour} * 60 + *minute - offset_minutes;
  const std::int64_t seconds = minutes * 60 + *second;
  return seconds * 1'000'000'000 + fraction;
}

// The same back, in UTC, always with nine fractional digits.
[[nodiscard]] inline std::string format_rfc3339(Time time) {
  const auto whole = std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(time)));
  const std::chrono::year_month_day date{whole};
  const std::int64_t in_day = time - whole.time_since_epoch().count() * 86'400'000'000'000;
  const std::int64_t seconds = in_day / 1'000'000'000;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60),
                static_cast<int>(in_day % 1'000'000'000));
  return text.data();
}

}  // namespace tradewind
