// Core: the order manager: requests out, answers and stream messages in, in any order and any number of times.
#include <algorithm>
#include <limits>

#include "state.hpp"
#include "tradewind/engine/rejection.hpp"

namespace tradewind {

// A slot of the pool: a free one, else the oldest finished order that no book is measured from.
std::uint32_t Engine::State::claim_slot(std::uint32_t symbol, const ClientOrderId& id) {
  const auto count = static_cast<std::uint32_t>(orders.size());
  for (std::uint32_t tries = 0; tries < count; ++tries) {
    const std::uint32_t slot = order_hand;
    order_hand = (order_hand + 1) % count;
    Order& order = orders[slot];
    if (order.state != OrderState::kNone) {
      const SymbolState& own = symbols[order.symbol];
      if (!is_terminal(order.state) || own.book_order == slot || own.replaced == slot) continue;
      order_index.erase(order.client_id);
    }
    order = Order{};
    order.client_id = id;
    order.symbol = symbol;
    order.state = OrderState::kCreated;
    order.created = now;
    order.number = ++counts.orders;
    order.intents.fill(kNil);
    order_index.insert(id, slot);
    return slot;
  }
  return kNil;
}

std::uint32_t Engine::State::new_order(std::uint32_t symbol, const ClientOrderId& id) {
  const std::uint32_t slot = claim_slot(symbol, id);
  if (slot == kNil) return kNil;
  symbols[symbol].cross_pending = false;
  symbols[symbol].working = slot;
  symbols[symbol].book_order = slot;
  symbols[symbol].replaced = kNil;
  set_baseline(symbol);
  return slot;
}

std::uint64_t Engine::State::push_request(RequestKind kind, const Order* order) {
  BrokerRequest request;
  request.kind = kind;
  request.request_id = next_request++;
  if (order != nullptr) {
    request.client_order_id = order->client_id;
    request.broker_order_id = order->broker_id;
    request.symbol = config.symbols[order->symbol].symbol;
    request.side = order->side;
    request.order_type = order->placed.type;
    request.time_in_force = order->placed.tif;
    request.quantity = Quantity{order->quantity};
    request.limit_price = order->placed.limit_price;
    request.terms = order->placed.terms;
  }
  out->requests.push_back(request);
  if (order != nullptr) set_timer(*order);
  return request.request_id;
}

void Engine::State::submit(Order& order) {
  advance(order, OrderEvent::kSend);
  order.heard = now;
  order.submit_request = push_request(RequestKind::kSubmit, &order);
  hash_submit(order);
  ++calendar.trades_today;
  rate_arrival = rate_after_send(rate_arrival, now, config.limits.max_orders_per_minute);
  refresh(order.symbol);
}

// The same client order id again: should both arrive, the broker refuses the second. Unless it is no longer what is
// needed, because an older order turned out to have traded meanwhile: then it is netted anew.
void Engine::State::resend(Order& order) {
  order.resend_wanted = false;
  if (order.origin == Origin::kIntent && order.cancel == CancelReason::kNone && !still_needed(order)) {
    order.cancel = CancelReason::kReroute;
    return give_up(order, RejectCode::kNeverArrived, Denial{RejectCode::kNeverArrived, Unit::kNone, 0, 0, 0}.message());
  }
  RiskRequest request;
  request.origin = order.origin == Origin::kKillSwitch ? order.origin : Origin::kResend;
  request.quantity = Quantity{order.sign() * order.quantity};
  request.order_type = order.placed.type;
  request.time_in_force = order.placed.tif;
  request.limit_price = order.placed.limit_price;
  request.terms = order.placed.terms;
  const Denial denial = order.cancel_wanted ? Denial{RejectCode::kNeverArrived, Unit::kNone, 0, 0, 0}
                                            : gate_without_working(order.symbol, request);
  if (denial.denied()) return give_up(order, denial.code, denial.message());
  advance(order, OrderEvent::kResend);
  order.submit_request = push_request(RequestKind::kSubmit, &order);
}

// The first moment at which check_age, check_silence or a look-up may have something to do for this order.
Time Engine::State::timer_of(const Order& order) const {
  Time due = order.lookup_next != 0 ? order.lookup_next : std::numeric_limits<Time>::max();
  if (order.ttl != 0 && order.cancel == CancelReason::kNone) due = std::min(due, order.created + order.ttl);
  if (config.stuck_after != 0 && !is_resting(order.state)) due = std::min(due, order.heard + config.stuck_after);
  return due;
}

// To be called when one of these has changed: most steps are before any order's timer and look at none.
void Engine::State::set_timer(const Order& order) { timers_due = std::min(timers_due, timer_of(order)); }

void Engine::State::check_age(Order& order) {
  if (order.ttl == 0 || order.cancel != CancelReason::kNone || now - order.created < order.ttl) return;
  order.code = RejectCode::kOrderTimeout;
  request_cancel(order, CancelReason::kTimeout);
}

// An order that something was asked for and of which nothing is heard: it is looked up, and when that does not help a
// person is told. What rests at the broker may be silent for as long as it likes.
void Engine::State::check_silence(Order& order) {
  if (config.stuck_after == 0 || is_resting(order.state) || !link_up || now - order.heard < config.stuck_after) return;
  if (order.stuck) {
    alert(Severity::kCritical, config.symbols[order.symbol].symbol,
          "an order hangs between two states and the broker says nothing of it; look at the broker");
  }
  order.stuck = true;
  order.heard = now;
  lookup(order);
}

// A transient refusal is tried again, each time after twice as long, while the intent is valid.
void Engine::State::reject(Order& order, const BrokerEvent& event) {
  SymbolState& state = symbols[order.symbol];
  const Symbol& symbol = config.symbols[order.symbol].symbol;
  order.code = event.code == kCodeLeaseLost ? RejectCode::kLeaseLost : RejectCode::kBrokerRejected;
  order.text = event.text;
  order.category = category_of(event.http_status, event.code, event.text.view());
  if (order.category != RejectionCategory::kTransient) count_refused(order);
  if (order.category == RejectionCategory::kTransient) {
    state.hold_until = now + (config.retry_after << std::min<std::uint32_t>(state.rejections++, 6));
  } else if (order.category == RejectionCategory::kManual) {
    alert(Severity::kCritical, symbol, "the broker rejected an order for a reason that only a person can remove");
  } else {
    alert(Severity::kWarning, symbol, "the broker rejected an order, and would again");
  }
  advance(order, OrderEvent::kRejected);
}

// Of an order that was not filled: cancelled because its time was up, with too little filled, or refused for now. As
// long as the intent is valid; an exit always is.
bool Engine::State::tries_again(const Order& order, const Sub& s) const {
  const bool enough =
      static_cast<Int128>(order.filled) * kRatioScale >= static_cast<Int128>(order.quantity) * order.accept_fill;
  const bool late = order.state == OrderState::kCanceled && order.cancel == CancelReason::kTimeout && !enough;
  const bool refused =
      order.state == OrderState::kRejected && order.category == RejectionCategory::kTransient && order.replaces.empty();
  return (late || refused) && (s.exit != ExitReason::kNone || now <= intents[s.intent].intent.valid_until);
}

void Engine::State::give_up(Order& order, RejectCode code, const ShortText& text) {
  order.code = code;
  order.text = text;
  count_refused(order);
  advance(order, OrderEvent::kNeverArrived);
}

// Cancels pass every gate. Of an order and its replacement both are asked for: one of them lives.
void Engine::State::request_cancel(Order& order, CancelReason reason) {
  const SymbolState& state = symbols[order.symbol];
  if (replacing(state) && &orders[state.working] == &order) cancel_one(orders[state.replaced], reason);
  cancel_one(order, reason);
}

// Without the broker's id the cancel waits until the order is known to be there.
void Engine::State::cancel_one(Order& order, CancelReason reason) {
  order.cancel = reason;
  order.cancel_wanted = true;
  const bool asked = order.cancel_request != 0 || order.state == OrderState::kPendingCancel;
  if (order.broker_id.empty() || is_terminal(order.state) || asked || order.state == OrderState::kUnknown) return;
  order.cancel_request = push_request(RequestKind::kCancel, &order);
  order.heard = now;
  advance(order, OrderEvent::kCancelSent);
}

void Engine::State::lookup(Order& order) {
  order.lookup_next = 0;
  if (order.lookup_request == 0) order.lookup_request = push_request(RequestKind::kLookup, &order);
}

void Engine::State::advance(Order& order, OrderEvent event) {
  const OrderState before = order.state;
  const OrderState next = transition(before, event);
  ++counts.transitions[static_cast<std::size_t>(before)][static_cast<std::size_t>(event)];
  if (next == OrderState::kNone) {
    alert(Severity::kWarning, config.symbols[order.symbol].symbol,
          "an order event that cannot happen in its state was ignored");
    return;
  }
  if (next == before) return;
  order.state = next;
  order.stuck = false;
  if (is_terminal(next)) {
    finished(order);
  } else {
    set_timer(order);
    record(order);
  }
}

// The order has ended. Filled, or cancelled to be netted anew: what is still wanted is routed. Ended by the broker or
// by time: the intents behind it are done, what is held is what is wanted.
void Engine::State::finished(Order& order) {
  SymbolState& state = symbols[order.symbol];
  order.submit_request = order.cancel_request = order.lookup_request = 0;
  order.lookup_next = 0;
  order.resend_wanted = false;
  if (order.state == OrderState::kFilled) order.code = RejectCode::kOk;  // a time-out that came too late
  record(order);
  if (state.replaced != kNil && state.working != kNil && &orders[state.replaced] == &order)
    return replaced_ended(order);
  if (state.working == kNil || &orders[state.working] != &order) return;
  if (replacing(state)) return replacement_ended(order);
  const OrderState before = state.replaced == kNil ? OrderState::kNone : orders[state.replaced].state;
  state.working = kNil;
  refresh(order.symbol);
  settle_trades(order.symbol);
  const bool too_late =
      !order.replaces.empty() && order.state == OrderState::kRejected && before == OrderState::kFilled;
  const bool moved_on = order.state == OrderState::kReplaced && order.cancel == CancelReason::kNone;
  const bool goes_on =
      order.state == OrderState::kFilled || order.cancel == CancelReason::kReroute || too_late || moved_on;
  bool waiting = false;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, order.symbol);
    const bool contributed = order.intents[k] != kNil && order.intents[k] == s.intent;
    const bool again = contributed && tries_again(order, s);
    if (again && order.cancel == CancelReason::kTimeout) ++intents[s.intent].timeouts;
    if (s.phase == SubPhase::kActive && contributed && !goes_on && !again) {
      exit_failed(s, order.code);
      if (order.state == OrderState::kRejected)
        idle(s);
      else
        slice_ended(s);
    } else if (s.phase == SubPhase::kActive && wanted(s) == 0) {
      settle(s);
    }
    // An intent of which no order was sent yet has only waited for the flush.
    waiting = waiting || (s.phase == SubPhase::kActive && wanted(s) != 0);
  }
  if (waiting) state.dirty = true;
  if (order.origin == Origin::kKillSwitch) {
    if (order.state == OrderState::kFilled) {
      state.flatten_tries = 0;
    } else {
      state.flatten_next = now + (config.retry_after << std::min<std::uint32_t>(state.flatten_tries++, 6));
      kill.look = true;
    }
  }
}

OrderRecord Engine::State::order_record(const Order& order) const {
  OrderRecord r;
  r.client_order_id = order.client_id;
  r.broker_order_id = order.broker_id;
  r.symbol = config.symbols[order.symbol].symbol;
  r.side = order.side;
  r.order_type = order.placed.type;
  r.time_in_force = order.placed.tif;
  r.quantity = Quantity{order.quantity};
  r.limit_price = order.placed.limit_price;
  r.state = order.state;
  r.filled = Quantity{order.filled};
  r.filled_notional = Money{order.filled_notional};
  r.reduce_only = order.reduce_only;
  r.code = order.code;
  r.text = order.text;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    if (!order.intent_ids[k].empty()) r.intents[r.intent_count++] = order.intent_ids[k];
  }
  r.time = now;
  r.replaces = order.replaces;
  r.terms = order.placed.terms;
  r.exit = order.exit;
  r.category = order.category;
  return r;
}

void Engine::State::record(const Order& order) { out->records.emplace_back(order_record(order)); }

}  // namespace tradewind
