// Core: comparing with the broker before anything is sent: account, positions and orders as the broker has them.
#include <algorithm>

#include "state.hpp"

namespace tradewind {
namespace {

constexpr std::uint32_t kMaxRounds = 5;  // a race with fills settles in one more round; then the difference is real

}  // namespace

bool Engine::State::of_snapshot(const BrokerEvent& event) const {
  return reconcile.phase == ReconcilePhase::kSnapshot &&
         (event.request_id == 0 || event.request_id == reconcile.request);
}

// The stream is new: whatever was asked over the old one, or by a process that died, has no answer any more.
void Engine::State::on_link_up() {
  link_up = true;
  link_up_at = now;
  link_down_at = 0;
  ready = false;
  shutdown = false;
  for (SymbolState& symbol : symbols) {
    each_open(symbol, [this](Order& order) {
      order.submit_request = order.cancel_request = order.lookup_request = 0;
      order.lookup_next = order.recancel_next = 0;
      order.lookup_failures = 0;
      order.resend_wanted = false;
      if (order.state == OrderState::kSubmitted) advance(order, OrderEvent::kAnswerLost);
    });
  }
  reconcile = Reconcile{};
  ask_snapshot();
}

void Engine::State::on_link_down() {
  if (link_up || link_down_at == 0) link_down_at = now;
  link_up = false;
  ready = false;
  reconcile = Reconcile{};
  alert(Severity::kWarning, Symbol{}, "the broker's stream is down; orders are blocked");
}

void Engine::State::ask_snapshot() {
  for (SymbolState& symbol : symbols) {
    symbol.broker_position = 0;
    each_open(symbol, [](Order& order) { order.seen = false; });
  }
  ready = false;
  reconcile.phase = ReconcilePhase::kSnapshot;
  reconcile.retry_next = 0;
  reconcile.books_moved = false;
  reconcile.account_seen = false;
  reconcile.request = push_request(RequestKind::kSnapshot, nullptr);
}

void Engine::State::on_snapshot_order(const BrokerEvent& event) {
  if (!of_snapshot(event)) return;
  const std::uint32_t slot = order_index.find(event.order.client_order_id);
  if (slot != kNil) {
    orders[slot].seen = true;
    orders[slot].orphan = false;
    return apply_view(orders[slot], event);
  }
  if (!is_terminal(event.order.state)) {
    alert(Severity::kCritical, event.order.symbol, "the broker works an order that is not in the journal");
    // It may hold the shares that the switch wants to sell.
    if (kill.latched) push_foreign_cancel(event.order);
  }
}

void Engine::State::on_snapshot_end() {
  reconcile.request = 0;
  reconcile.failures = 0;
  reconcile.phase = ReconcilePhase::kLookups;
  for (SymbolState& symbol : symbols) {
    each_open(symbol, [this](Order& order) {
      if (order.state == OrderState::kUnknown || !order.seen) {
        lookup(order);
      } else if (order.state == OrderState::kPendingCancel && order.cancel_request == 0) {
        order.cancel_request = push_request(RequestKind::kCancel, &order);
      }
    });
  }
}

// The broker writes the position in BTC/USD as BTCUSD.
std::uint32_t Engine::State::held_symbol(const Symbol& name) const {
  const std::uint32_t symbol = symbol_index.find(name);
  if (symbol != kNil) return symbol;
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    const std::string_view own = config.symbols[s].symbol.view(), text = name.view();
    const std::size_t slash = own.find('/');
    if (slash == std::string_view::npos || text.size() + 1 != own.size()) continue;
    if (text.substr(0, slash) == own.substr(0, slash) && text.substr(slash) == own.substr(slash + 1)) return s;
  }
  return kNil;
}

bool Engine::State::positions_agree() {
  return std::all_of(symbols.begin(), symbols.end(),
                     [](const SymbolState& s) { return s.broker_position == s.book.position; });
}

// Once every doubtful order is known: books that moved meanwhile, or a difference, are looked at again before they are
// believed.
void Engine::State::finish_reconcile() {
  if (reconcile.phase != ReconcilePhase::kLookups) return;
  bool doubtful = false;
  for (const SymbolState& symbol : symbols) {
    each_open(symbol, [&doubtful](const Order& order) {
      const bool open = order.lookup_request != 0 || order.lookup_next != 0;
      doubtful = doubtful || open || (order.state == OrderState::kUnknown && !order.resend_wanted);
    });
  }
  if (doubtful) return;
  if (!reconcile.account_seen) {
    alert(Severity::kWarning, Symbol{}, "the broker's snapshot held no account; asking again");
    reconcile.phase = ReconcilePhase::kIdle;
    reconcile.retry_next = now + config.retry_after;
    return;
  }
  if ((reconcile.books_moved || !positions_agree()) && ++reconcile.rounds < kMaxRounds) return ask_snapshot();
  reconcile.phase = ReconcilePhase::kIdle;
  reconcile.rounds = 0;
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    const bool differs = symbols[s].broker_position != symbols[s].book.position;
    if (differs && !symbols[s].mismatch) {
      alert(Severity::kCritical, config.symbols[s].symbol,
            "the broker's position differs from the sum of the sub-books; orders are refused");
    }
    symbols[s].mismatch = differs;
  }
  adopt_account();
  ready = true;
  if (kill.verifying) verified();
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    const std::uint32_t slot = symbols[s].working;
    if (slot != kNil && orders[slot].resend_wanted) resend(orders[slot]);
  }
}

// Small differences in cash are the broker's rounding of average prices and are left alone, so that a run with a
// restart decides as one without. Larger ones are real: fees, dividends, transfers.
void Engine::State::adopt_account() {
  const std::int64_t tolerance = config.cash_tolerance.raw;
  const Int128 difference = static_cast<Int128>(reconcile.cash.raw) - cash.raw;
  if (!account_known || difference > tolerance || difference < -tolerance) {
    if (account_known)
      alert(Severity::kWarning, Symbol{}, "cash was set to the broker's: fees, dividends or transfers");
    cash = reconcile.cash;
    recent = RecentEquity{};  // money that left is no loss
  }
  const Money base = reconcile.equity.raw > 0 ? reconcile.equity : equity();
  if (base.raw > 0) {
    // Rounded to 0.1 %: the broker's leverage is a plain figure, what is behind the point is rounding of marks.
    constexpr Int128 kStep = kRatioScale / 1000;
    const Int128 ratio = (static_cast<Int128>(reconcile.buying_power.raw) + totals.gross) * kRatioScale / base.raw;
    leverage = static_cast<std::int64_t>(
        std::clamp<Int128>((ratio + kStep / 2) / kStep * kStep, 0, Int128{100} * kRatioScale));
  }
  if (account_known) return;
  account_known = true;
  calendar.day_start = calendar.day_high = calendar.week_start = calendar.month_start = calendar.peak = equity();
}

}  // namespace tradewind
