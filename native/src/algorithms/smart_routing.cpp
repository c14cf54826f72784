// Core: see smart_routing.hpp.
#include "tradewind/algorithms/smart_routing.hpp"

namespace tradewind {
namespace {

// Of the mean volume of a bar, ppm. Unknown volume: as large as can be.
Int128 size_of(std::int64_t quantity, std::int64_t average_volume) {
  if (average_volume <= 0) return std::numeric_limits<std::int64_t>::max();
  return static_cast<Int128>(quantity) * kPpm / (static_cast<Int128>(average_volume) * kQuantityScale);
}

Algorithm for_large(std::int64_t urgency, const MarketTape& tape) {
  if (urgency >= kUrgent) return Algorithm::kImplementationShortfall;
  const std::int64_t change = tape.variance_ratio();
  if (change >= kChanged || change <= kPpm * kPpm / kChanged) return Algorithm::kAdaptive;
  return tape.curve().days() >= kCurveDays ? Algorithm::kVwap : Algorithm::kTwap;
}

}  // namespace

Route smart_route(std::int64_t quantity, std::int64_t urgency, const MarketTape& tape) {
  const Int128 size = size_of(quantity, tape.average_volume());
  if (size >= kLargeSize) return {for_large(urgency, tape), OrderType::kLimit};
  const bool at_once = urgency >= kUrgent || (size <= kSmallSize && urgency >= kPatient);
  return {Algorithm::kNone, at_once ? OrderType::kMarket : OrderType::kLimit};
}

}  // namespace tradewind
