// Core: decimal text to and from fixed-point integers, exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind {

// "-12.5" with 8 digits -> -1250000000. Empty when it is no plain decimal, has more places, or does not fit.
[[nodiscard]] std::optional<std::int64_t> parse_decimal(std::string_view text, int digits);
// The shortest such text.
[[nodiscard]] std::string format_decimal(std::int64_t raw, int digits);

}  // namespace tradewind
