// Core: the decision hash, the state hash and the invariants.
#include <algorithm>
#include <cstdlib>

#include "state.hpp"

namespace tradewind {

ClientOrderId Engine::State::client_order_id(const Sha256& hash) {
  const Sha256::Digest digest = hash.digest();
  std::array<char, 35> text{'t', 'w', '-'};
  to_hex(std::span(digest).first(16), text.data() + 3);
  return ClientOrderId(std::string_view(text.data(), text.size()));
}

ExecutionId Engine::State::execution_id(const Sha256& hash) {
  std::array<char, 64> text{};
  to_hex(hash.digest(), text.data());
  return ExecutionId(std::string_view(text.data(), text.size()));
}

void Engine::State::hash_verdict(const Intent& intent, bool accepted, RejectCode code) {
  decisions.update_u8('V');
  decisions.update_text(intent.id.view());
  decisions.update_u8(accepted ? 1 : 0);
  decisions.update_text(to_string(code));
}

void Engine::State::hash_submit(const Order& order) {
  decisions.update_u8('S');
  decisions.update_text(order.client_id.view());
  decisions.update_text(config.symbols[order.symbol].symbol.view());
  decisions.update_u8(static_cast<std::uint8_t>(order.side));
  decisions.update_u8(static_cast<std::uint8_t>(order.placed.type));
  decisions.update_u8(static_cast<std::uint8_t>(order.placed.tif));
  decisions.update_i64(order.quantity);
  decisions.update_i64(order.placed.limit_price.raw);
  const OrderTerms& terms = order.placed.terms;
  if (terms == OrderTerms{}) return;
  decisions.update_u8('T');
  decisions.update_i64(terms.stop_price.raw);
  decisions.update_i64(terms.trail_price.raw);
  decisions.update_i64(terms.trail_ratio);
  decisions.update_u8(terms.extended_hours ? 1 : 0);
}

void Engine::State::hash_replace(const Order& order) {
  hash_submit(order);
  decisions.update_u8('R');
  decisions.update_text(order.replaces.view());
}

std::string Engine::decision_hash() const { return hex(state_->decisions.digest()); }

std::string Engine::state_hash() const {
  const State& s = *state_;
  Sha256 hash;
  const auto book = [&hash](const Book& b) {
    hash.update_i64(b.position);
    hash.update_i64(b.cost);
    hash.update_i64(b.realized);
  };
  hash.update_i64(s.cash.raw);
  hash.update_u8(s.kill.latched ? 1 : 0);
  hash.update_u8(s.paused ? 1 : 0);
  hash.update_i64(s.ladder);
  hash.update_i64(s.calendar.losses);
  for (std::size_t i = 0; i < s.symbol_count; ++i) {
    const SymbolState& symbol = s.symbols[i];
    hash.update_text(s.config.symbols[i].symbol.view());
    hash.update_i64(symbol.price.raw);
    book(symbol.book);
    for (std::size_t k = 0; k < s.strategy_count; ++k) {
      const Sub& sub = s.sub(k, i);
      hash.update_text(s.config.strategies[k].uid.view());
      book(sub.book);
      hash.update_u8(static_cast<std::uint8_t>(sub.phase));
      hash.update_i64(sub.phase == SubPhase::kIdle ? sub.book.position : sub.target);
      if (sub.phase != SubPhase::kIdle) hash.update_i64(sub.interim);
      if (sub.stop_loss.raw == 0 && sub.take_profit.raw == 0 && sub.exit == ExitReason::kNone) continue;
      hash.update_i64(sub.stop_loss.raw);
      hash.update_i64(sub.take_profit.raw);
      hash.update_u8(static_cast<std::uint8_t>(sub.exit));
    }
    for (const std::uint32_t slot : {symbol.book_order, symbol.replaced}) {
      if (slot == kNil) continue;
      const Order& order = s.orders[slot];
      hash.update_text(order.client_id.view());
      hash.update_u8(static_cast<std::uint8_t>(order.state));
      hash.update_i64(order.filled);
      hash.update_i64(order.filled_notional);
    }
  }
  return hex(hash.digest());
}

std::string Engine::check_invariants() const {
  const State& s = *state_;
  Totals totals;
  for (std::size_t i = 0; i < s.symbol_count; ++i) {
    const SymbolState& symbol = s.symbols[i];
    const std::string name = s.config.symbols[i].symbol.str();
    Int128 position = 0, moved = symbol.departed;
    for (std::size_t k = 0; k < s.strategy_count; ++k) {
      const Sub& sub = s.sub(k, i);
      position += sub.book.position;
      moved += static_cast<Int128>(sub.book.realized) - sub.book.cost;
      if (sub.book.position == 0 && sub.book.cost != 0) return name + ": a flat sub-book has a cost";
      if (sub.phase != SubPhase::kIdle && sub.intent == kNil) return name + ": a wish without an intent";
      if (sub.phase == SubPhase::kPending && !symbol.dirty && !symbol.reroute)
        return name + ": an intent that waits for nothing";
    }
    if (position != symbol.book.position) return name + ": the sub-books do not add up to the account's position";
    if (moved != static_cast<Int128>(symbol.book.realized) - symbol.book.cost) {
      return name + ": the sub-books do not add up to the account's cash";
    }
    if (symbol.working != kNil) {
      const Order& order = s.orders[symbol.working];
      if (is_terminal(order.state)) return name + ": a finished order counts as working";
      if (symbol.book_order != symbol.working) return name + ": the books are not measured from the working order";
      Int128 shares = 0;
      for (std::size_t k = 0; k < s.strategy_count; ++k) shares += order.shares[k];
      if (shares != static_cast<Int128>(order.sign()) * order.quantity)
        return name + ": the shares of an order do not add up to it";
    }
    totals.value += symbol.value;
    totals.gross += symbol.gross;
    totals.net_long += symbol.net_long;
    totals.net_short += symbol.net_short;
    totals.shorts += symbol.shorts;
    totals.pending += symbol.pending;
    totals.held += symbol.held ? 1 : 0;
    const auto value = notional(symbol.price.raw > 0 ? symbol.price : Money{symbol.book.average_price()},
                                Quantity{symbol.book.position});
    if (!symbol.overflow && (!value || symbol.value != value->raw)) return name + ": the market value is stale";
  }
  Scenarios scenarios;
  scenarios.count = s.scenarios.count;
  for (std::size_t i = 0; i < s.symbol_count; ++i) {
    scenarios.add(s.estimates[i], s.assumed_move, s.symbols[i].low_cents, s.symbols[i].high_cents, +1);
  }
  if (scenarios.worst != s.scenarios.worst || scenarios.best != s.scenarios.best) return "the scenarios do not add up";
  const Totals& t = s.totals;
  if (totals.value != t.value || totals.gross != t.gross || totals.net_long != t.net_long ||
      totals.net_short != t.net_short || totals.shorts != t.shorts || totals.pending != t.pending ||
      totals.held != t.held) {
    return "the exposure totals do not add up";
  }
  std::size_t working = 0;
  for (const Order& order : s.orders) {
    if (order.state == OrderState::kNone || is_terminal(order.state)) continue;
    ++working;
    if (s.timers_due > s.timer_of(order)) return "an order's timer is not waited for";
    const SymbolState& symbol = s.symbols[order.symbol];
    const bool leaving = s.replacing(symbol) && &s.orders[symbol.replaced] == &order;
    if (leaving && s.orders[symbol.working].replaces != order.client_id) return "an order is replaced by a stranger";
    if (!leaving && (symbol.working == kNil || &s.orders[symbol.working] != &order))
      return "two orders work in one symbol";
  }
  return working == working_orders() ? std::string() : "the working orders do not add up";
}

}  // namespace tradewind
