// Core: the bar an indicator reads, and the one place where fixed-point prices become doubles.
#pragma once

#include <cstdint>
#include <limits>

#include "tradewind/fixed.hpp"

namespace tradewind::indicators {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Bar {
  Time time = 0;  // close of the bar
  double open = kNaN;
  double high = kNaN;
  double low = kNaN;
  double close = kNaN;
  double volume = 0.0;
  double market = kNaN;  // close of the market context (an index) at the same time; NaN when there is none
};

// As bars travel on the bus: prices at 1e-8 currency units, volume in whole units.
struct FixedBar {
  Time time = 0;
  std::int64_t open = 0;
  std::int64_t high = 0;
  std::int64_t low = 0;
  std::int64_t close = 0;
  std::int64_t volume = 0;
};

// Stream and batch both convert here and nowhere else, so that they cannot differ in a bit.
[[nodiscard]] constexpr Bar to_bar(const FixedBar& fixed) {
  constexpr auto kScale = static_cast<double>(kMoneyScale);
  Bar bar;
  bar.time = fixed.time;
  bar.open = static_cast<double>(fixed.open) / kScale;
  bar.high = static_cast<double>(fixed.high) / kScale;
  bar.low = static_cast<double>(fixed.low) / kScale;
  bar.close = static_cast<double>(fixed.close) / kScale;
  bar.volume = static_cast<double>(fixed.volume);
  return bar;
}

}  // namespace tradewind::indicators
