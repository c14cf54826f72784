// Core: which orders the broker takes: type, time in force, prices. Alpaca's rules for equities and crypto pairs.
#pragma once

#include "tradewind/engine/codes.hpp"
#include "tradewind/engine/config.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

// A pair such as BTC/USD; everything else is an equity.
[[nodiscard]] bool is_crypto(const Symbol& symbol);

[[nodiscard]] constexpr bool has_limit(OrderType type) {
  return type == OrderType::kLimit || type == OrderType::kStopLimit;
}
[[nodiscard]] constexpr bool has_stop(OrderType type) {
  return type == OrderType::kStop || type == OrderType::kStopLimit;
}

// The first rule that an order of these terms breaks, or kOk. Limit prices are the risk gate's.
// Equities: market and limit orders of every life; stop and stop-limit orders not in the auctions; trailing stops for
// the day or until cancelled; extended hours for limit orders, for the day or until cancelled. Pairs: market, limit and
// stop-limit orders, until cancelled or immediate.
[[nodiscard]] RejectCode terms_fault(const SymbolConfig& symbol, OrderType type, TimeInForce tif,
                                     const OrderTerms& terms);

// The order's own price, from which it may fill: the limit, else the stop; 0 for those that fill at the market's.
[[nodiscard]] constexpr Money own_price(OrderType type, Money limit, const OrderTerms& terms) {
  return has_limit(type) ? limit : type == OrderType::kStop ? terms.stop_price : Money{};
}

// The time in force of an order that must just be done: pairs know no day.
[[nodiscard]] inline TimeInForce plain_life(const Symbol& symbol) {
  return is_crypto(symbol) ? TimeInForce::kGtc : TimeInForce::kDay;
}

}  // namespace tradewind
