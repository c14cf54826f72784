// Core: which algorithm an order gets that asks for none in particular: by size, urgency and the state of the market.
#pragma once

#include <cstdint>

#include "tradewind/algorithms/market_tape.hpp"
#include "tradewind/algorithms/plan.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

struct Route {
  Algorithm algorithm = Algorithm::kNone;
  OrderType order_type = OrderType::kLimit;
  constexpr bool operator==(const Route&) const = default;
};

inline constexpr std::int64_t kSmallSize = 10'000;   // ppm of the mean volume of a bar: nobody notices
inline constexpr std::int64_t kLargeSize = 100'000;  // ppm of the mean volume of a bar: worth a schedule
inline constexpr std::int64_t kUrgent = 800'000;     // ppm
inline constexpr std::int64_t kPatient = 500'000;    // ppm: below
inline constexpr std::int64_t kChanged = 2 * kPpm;   // variance ratio, or its inverse, from which a market changes
inline constexpr std::int64_t kCurveDays = 3;        // days of a volume curve before it is followed

// An order is large from 10 % of a bar's mean volume, and while no volume is known.
//   large: urgent -> implementation shortfall; changing market -> adaptive; known volume curve -> VWAP; else TWAP
//   else:  urgent, or small and not patient -> market order; else -> limit order
// `quantity` is raw and positive.
[[nodiscard]] Route smart_route(std::int64_t quantity, std::int64_t urgency, const MarketTape& tape);

}  // namespace tradewind
