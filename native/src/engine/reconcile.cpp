// Core: comparing with the broker before anything is sent: account, positions and orders as the broker has them.
#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

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

// Without the lease another process may be trading: what was compared is worth nothing, and nothing is compared until
// the lease is back. Answers still move the books.
void Engine::State::on_lease(bool held) {
  if (fenced == !held) return;
  fenced = !held;
  ready = false;
  reconcile = Reconcile{};
  alert(held ? Severity::kInfo : Severity::kCritical, Symbol{},
        held ? "the account's lease is held again" : "the account's lease is lost; only cancels are sent");
  if (held && link_up) ask_snapshot();
}

void Engine::State::ask_snapshot() {
  if (fenced) return;
  for (SymbolState& symbol : symbols) {
    symbol.snapshot_position = 0;
    each_open(symbol, [](Order& order) { order.seen = false; });
  }
  ready = ready && reconcile.background;
  reconcile.phase = ReconcilePhase::kSnapshot;
  reconcile.retry_next = 0;
  reconcile.books_moved = false;
  reconcile.account_seen = false;
  reconcile.request = push_request(RequestKind::kSnapshot, nullptr);
}

// Something suggests that the broker knows better: it is asked with the next input, and trading goes on meanwhile.
void Engine::State::reconcile_soon() {
  if (reconcile.phase != ReconcilePhase::kIdle || !link_up) return;
  reconcile.background = ready;
  reconcile.retry_next = std::max<Time>(now, 1);
}

void Engine::State::on_snapshot_order(const BrokerEvent& event) {
  if (!of_snapshot(event)) return;
  const std::uint32_t slot = order_index.find(event.order.client_order_id);
  if (slot != kNil) {
    orders[slot].seen = true;
    orders[slot].orphan = false;
    return apply_view(orders[slot], event);
  }
  // It may hold the shares that the switch wants to sell.
  if (kill.latched && !is_terminal(event.order.state)) push_foreign_cancel(event.order);
  on_foreign(event);
}

// An order that is not in the journal is named when it is first seen and each time it has filled more. Its fills are in
// no book: the position then differs, and entries in its symbol are refused until somebody has undone or moved it.
void Engine::State::on_foreign(const BrokerEvent& event) {
  const BrokerOrder& view = event.order;
  const bool done = is_terminal(view.state);
  const bool ours = is_ours(view.client_order_id);
  if (done && (ours || !account_known || view.filled.raw == 0)) return;  // one of ours long done; or from before us
  const auto known =
      std::find_if(foreign.begin(), foreign.end(), [&](const Foreign& f) { return f.id == view.broker_order_id; });
  if (known != foreign.end() && known->filled >= view.filled.raw) return;
  Foreign& entry = known != foreign.end() ? *known : foreign[foreign_hand++ % foreign.size()];
  entry = {view.broker_order_id, view.filled.raw};
  std::array<char, 200> text{};
  const auto shares = [](Quantity q) { return static_cast<double>(q.raw) / static_cast<double>(kQuantityScale); };
  const std::string_view id = view.client_order_id.view(), broker_id = view.broker_order_id.view();
  std::snprintf(text.data(), text.size(), "%s: %s, %.9g of %.9g filled, order %.*s (the broker's %.*s)",
                ours ? "an order of ours that is not in the journal" : "an order that is not ours",
                view.side == Side::kSell ? "sell" : "buy", shares(view.filled), shares(view.quantity),
                static_cast<int>(id.size()), id.data(), static_cast<int>(broker_id.size()), broker_id.data());
  alert(Severity::kCritical, view.symbol, text.data());
  if (view.filled.raw > 0) reconcile_soon();
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

bool Engine::State::positions_agree() const {
  return std::all_of(symbols.begin(), symbols.end(),
                     [](const SymbolState& s) { return s.snapshot_position == s.book.position; });
}

// Told when it changes.
void Engine::State::judge_positions() {
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    SymbolState& state = symbols[s];
    state.broker_position = state.snapshot_position;
    const bool differs = state.broker_position != state.book.position;
    if (differs && !state.mismatch) {
      std::array<char, 200> text{};
      std::snprintf(text.data(), text.size(),
                    "the broker holds %.9g, the sub-books add up to %.9g; entries are refused",
                    static_cast<double>(state.broker_position) / static_cast<double>(kQuantityScale),
                    static_cast<double>(state.book.position) / static_cast<double>(kQuantityScale));
      alert(Severity::kCritical, config.symbols[s].symbol, text.data());
    } else if (!differs && state.mismatch) {
      alert(Severity::kInfo, config.symbols[s].symbol, "the broker's position and the sub-books agree again");
    }
    state.mismatch = differs;
  }
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
  reconciled_at = now;
  // Fills came in faster than the broker could be asked: nothing was compared, the next interval tries again.
  if (std::exchange(reconcile.background, false) && reconcile.books_moved) return;
  judge_positions();
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
