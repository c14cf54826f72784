// Core: the broker's PATCH: a working order makes way for a new, linked one that differs in quantity or prices.
// Until the broker has said which of the two lives, both count, and the books hold both: baseline, old, new.
#include <cstdlib>
#include <utility>

#include "state.hpp"

namespace tradewind {

bool Engine::State::replacing(const SymbolState& symbol) const {
  return symbol.working != kNil && symbol.replaced != kNil && !is_terminal(orders[symbol.replaced].state);
}

// What the broker would refuse is cancelled and sent anew instead: an order that it does not work yet, another type or
// life, no more than is filled already, a fraction of a share as new quantity.
bool Engine::State::may_replace(std::uint32_t symbol, const Wishes& each, std::int64_t need) const {
  const Order& order = orders[symbols[symbol].working];
  const bool working = order.state == OrderState::kAccepted || order.state == OrderState::kPartiallyFilled;
  if (!working || !order.live || order.cancel != CancelReason::kNone || order.origin != Origin::kIntent) return false;
  if (need == 0 || (need < 0) != (order.sign() < 0) || order.placed.type == OrderType::kMarket) return false;
  if (order.placed.tif != TimeInForce::kDay && order.placed.tif != TimeInForce::kGtc) return false;
  const Placement next = placement(sub(primary_strategy(each, need), symbol));
  const bool same_kind = next.type == order.placed.type && next.tif == order.placed.tif &&
                         next.terms.extended_hours == order.placed.terms.extended_hours &&
                         (next.terms.trail_ratio == 0) == (order.placed.terms.trail_ratio == 0);
  if (!same_kind) return false;
  const std::int64_t quantity = std::abs(next_slice(symbol, need));
  if (quantity <= order.filled) return false;
  if (quantity == order.quantity) return next != order.placed;
  return quantity % kQuantityScale == 0;
}

// The new order's fills come on top of the old one's; what was below both belongs to the baseline now.
std::uint32_t Engine::State::new_replacement(std::uint32_t symbol, const ClientOrderId& id) {
  if (!fold_replaced(symbol)) {
    trip("a book overflowed at a replace", "engine", false);
    return kNil;
  }
  const std::uint32_t slot = claim_slot(symbol, id);
  if (slot == kNil) return kNil;
  SymbolState& state = symbols[symbol];
  state.replaced = state.working;
  state.working = state.book_order = slot;
  return slot;
}

// A replacement works its whole quantity, whatever the old order has filled.
void Engine::State::replace(Order& old, Order& next) {
  next.replaces = old.client_id;
  next.replaced_filled = old.filled;
  next.heard = old.heard = now;
  advance(next, OrderEvent::kSend);
  advance(old, OrderEvent::kReplaceSent);
  next.submit_request = push_request(RequestKind::kReplace, &next);
  out->requests.back().broker_order_id = old.broker_id;
  hash_replace(next);
  rate_arrival = rate_after_send(rate_arrival, now, config.limits.max_orders_per_minute);
  refresh(next.symbol);
}

// The old order has ended first, as it should. Filled meanwhile, the new one is too large, or will be refused.
void Engine::State::replaced_ended(Order& old) {
  SymbolState& state = symbols[old.symbol];
  Order& next = orders[state.working];
  refresh(old.symbol);
  next.live = next.live || (old.state == OrderState::kReplaced && next.state == OrderState::kAccepted);
  if (old.filled != next.replaced_filled) want_reroute(state);
  if (old.state != OrderState::kReplaced && next.submit_request == 0) lookup(next);
}

// The new order has ended while the old one has not. Refused: the old one works on, and is cancelled, so that what is
// wanted can be sent anew. Ended otherwise: it lived, so that the old one must have ended; ask.
void Engine::State::replacement_ended(Order& next) {
  SymbolState& state = symbols[next.symbol];
  std::swap(state.working, state.replaced);
  state.book_order = state.working;
  if (next.filled == 0) state.replaced = kNil;
  Order& old = orders[state.working];
  if (!rebook(old.symbol)) return trip("a book overflowed at a replace", "engine", false);
  refresh(old.symbol);
  if (next.state != OrderState::kRejected) {
    if (old.cancel == CancelReason::kNone) old.cancel = next.cancel;
    old.intents = next.intents;
    return lookup(old);
  }
  advance(old, OrderEvent::kReplaceRefused);
  if (old.state == OrderState::kAccepted && old.filled > 0) advance(old, OrderEvent::kPartialFill);
  if (old.cancel != CancelReason::kNone) return;
  if (!kill.latched) want_reroute(state);
  request_cancel(old, CancelReason::kReroute);
}

}  // namespace tradewind
