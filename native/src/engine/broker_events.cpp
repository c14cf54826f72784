// Core: what the broker says of an order. REST answers and stream messages lead to the same state in any order, late or
// twice.
#include "state.hpp"

namespace tradewind {
namespace {

// The link waits between its own tries; in virtual time the clock stands still, so a few are made without waiting.
constexpr std::uint32_t kPromptRetries = 3;

OrderEvent event_of(OrderState state, bool complete) {
  switch (state) {
    case OrderState::kFilled:
      return OrderEvent::kFill;
    case OrderState::kCanceled:
      return OrderEvent::kCanceled;
    case OrderState::kExpired:
      return OrderEvent::kExpired;
    case OrderState::kRejected:
      return OrderEvent::kRejected;
    case OrderState::kReplaced:
      return OrderEvent::kReplaced;
    default:
      return complete ? OrderEvent::kFill : OrderEvent::kWorking;
  }
}

}  // namespace

Order* Engine::State::find_order(const BrokerEvent& event) {
  if (!event.order.client_order_id.empty()) {
    const std::uint32_t slot = order_index.find(event.order.client_order_id);
    return slot == kNil ? nullptr : &orders[slot];
  }
  if (event.request_id == 0) return nullptr;
  Order* found = nullptr;
  for (const SymbolState& symbol : symbols) {
    each_open(symbol, [&](Order& order) {
      if (order.submit_request == event.request_id || order.cancel_request == event.request_id ||
          order.lookup_request == event.request_id) {
        found = &order;
      }
    });
  }
  return found;
}

void Engine::State::on_broker(const BrokerEvent& event) {
  stream_id = std::max(stream_id, event.stream_id);
  hear_answer(event);
  switch (event.kind) {
    case BrokerEventKind::kNone:
      return;
    case BrokerEventKind::kLinkUp:
      return on_link_up();
    case BrokerEventKind::kLinkDown:
      return on_link_down();
    case BrokerEventKind::kSnapshotOrder:
      return on_snapshot_order(event);
    case BrokerEventKind::kSnapshotEnd:
      if (of_snapshot(event)) on_snapshot_end();
      return;
    case BrokerEventKind::kSnapshotFailed:
      if (!of_snapshot(event)) return;
      reconcile.request = 0;
      if (++reconcile.failures <= kPromptRetries) return ask_snapshot();
      reconcile.phase = ReconcilePhase::kIdle;
      reconcile.retry_next = now + config.retry_after;
      return;
    case BrokerEventKind::kPosition: {
      if (!of_snapshot(event)) return;
      const std::uint32_t symbol = held_symbol(event.order.symbol);
      if (symbol != kNil)
        symbols[symbol].snapshot_position = event.position.raw;
      else if (event.position.raw != 0)
        alert(Severity::kCritical, event.order.symbol, "the broker holds a symbol that is not configured");
      return;
    }
    case BrokerEventKind::kAccount:
      if (!of_snapshot(event)) return;
      reconcile.account_seen = true;
      reconcile.cash = event.cash;
      reconcile.equity = event.equity;
      reconcile.buying_power = event.buying_power;
      return;
    default:
      break;
  }
  Order* order = find_order(event);
  if (order != nullptr) return on_answer(*order, event);
  if (event.kind == BrokerEventKind::kTradeUpdate) on_foreign(event);
}

void Engine::State::on_answer(Order& order, const BrokerEvent& event) {
  const bool done = is_terminal(order.state);
  switch (event.kind) {
    case BrokerEventKind::kSubmitAccepted:
      order.submit_request = 0;
      return apply_view(order, event);
    case BrokerEventKind::kSubmitRejected:
      order.submit_request = 0;
      if (done) return;
      return reject(order, event);
    case BrokerEventKind::kSubmitUnknown:
      order.submit_request = 0;
      if (done) return;
      advance(order, OrderEvent::kAnswerLost);
      return lookup(order);
    case BrokerEventKind::kDuplicate:
      order.submit_request = 0;
      if (!done && order.broker_id.empty()) {
        advance(order, OrderEvent::kAnswerLost);
        lookup(order);
      }
      return;
    case BrokerEventKind::kCancelAccepted:
      order.cancel_request = 0;
      return;
    case BrokerEventKind::kCancelRejected:
    case BrokerEventKind::kCancelUnknown:
      order.cancel_request = 0;
      if (!done) lookup(order);
      return;
    case BrokerEventKind::kLookupFound:
      order.lookup_request = 0;
      order.lookup_failures = 0;
      return apply_view(order, event);
    case BrokerEventKind::kLookupMissing:
      order.lookup_request = 0;
      order.lookup_failures = 0;
      if (order.state != OrderState::kUnknown) return;
      // What it was to replace may have ended since: decided anew instead.
      if (!order.replaces.empty()) return give_up(order, RejectCode::kNeverArrived, {});
      if (ready) return resend(order);
      order.resend_wanted = true;
      return;
    case BrokerEventKind::kLookupFailed:
      order.lookup_request = 0;
      if (done) return;
      if (++order.lookup_failures <= kPromptRetries) return lookup(order);
      order.lookup_next = now + config.retry_after;
      set_timer(order);
      return;
    case BrokerEventKind::kTradeUpdate:
      return apply_view(order, event);
    default:
      return;
  }
}

// The broker's order as it is there: fills first, then the state, then what has waited for its id.
void Engine::State::apply_view(Order& order, const BrokerEvent& event) {
  const BrokerOrder& view = event.order;
  if (order.broker_id.empty()) order.broker_id = view.broker_order_id;
  order.live = order.live || view.live;
  order.heard = now;
  if (!is_terminal(view.state)) symbols[order.symbol].rejections = 0;
  const bool was_done = is_terminal(order.state);
  const std::int64_t before = order.filled;
  if (view.filled.raw > order.filled) {
    const Money average = view.filled_avg_price.raw > 0 ? view.filled_avg_price : event.execution_price;
    book_fill(order, view.filled.raw, average.raw > 0 ? average : symbols[order.symbol].price, event);
  }
  const OrderState state_before = order.state;
  const bool completed = order.filled >= order.quantity && before < order.quantity;
  const OrderEvent what = event_of(view.state, completed);
  const bool partial = what == OrderEvent::kWorking && order.filled != before;
  if (view.state == OrderState::kRejected && !was_done) {
    order.code = RejectCode::kBrokerRejected;
    order.category = RejectionCategory::kPersistent;
  }
  advance(order, partial ? OrderEvent::kPartialFill : what);
  if (order.filled != before && order.state == state_before) record(order);
  if (was_done && !is_terminal(view.state) && !order.orphan && state_before == OrderState::kRejected &&
      order.code != RejectCode::kBrokerRejected) {
    // Given up as never arrived, and yet it lives: nobody wants it any more.
    order.orphan = true;
    alert(Severity::kCritical, config.symbols[order.symbol].symbol,
          "an order given up as never sent is alive; it is cancelled");
    (void)push_request(RequestKind::kCancel, &order);
  }
  if (is_terminal(order.state)) return;
  if (order.cancel_wanted && order.cancel_request == 0 && order.state != OrderState::kPendingCancel) {
    request_cancel(order, order.cancel);
  } else if (order.state == OrderState::kPendingCancel && event.kind == BrokerEventKind::kLookupFound &&
             order.cancel_request == 0) {
    // Asked for, and still working: ask again, at most once per interval.
    if (now < order.recancel_next) {
      order.lookup_next = order.recancel_next;
      set_timer(order);
    } else {
      order.recancel_next = now + config.retry_after;
      order.cancel_request = push_request(RequestKind::kCancel, &order);
    }
  }
}

}  // namespace tradewind
