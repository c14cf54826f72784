// Core: from the broker's cumulative fill to the books. A symbol's books are a function of their baseline before its
// current order and of that order's cumulative fill, so the way in which the news came leaves no trace.
#include <algorithm>
#include <cstdlib>

#include "state.hpp"

namespace tradewind {

void Engine::State::set_baseline(std::uint32_t symbol) {
  symbols[symbol].baseline = symbols[symbol].book;
  for (std::size_t k = 0; k < strategy_count; ++k) sub(k, symbol).baseline = sub(k, symbol).book;
  // What was allocated before belongs to the baseline now.
  if (const std::uint32_t slot = symbols[symbol].book_order; slot != kNil && is_terminal(orders[slot].state)) {
    symbols[symbol].book_order = symbols[symbol].replaced = kNil;
  }
}

// The replaced order below the current one becomes part of the baseline: another takes its place.
bool Engine::State::fold_replaced(std::uint32_t symbol) {
  SymbolState& state = symbols[symbol];
  if (state.replaced == kNil) return true;
  const Order& old = orders[state.replaced];
  state.replaced = kNil;
  const auto account = traded(state.baseline, old.sign() * old.filled, old.sign() * old.filled_notional);
  if (!account) return false;
  state.baseline = *account;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    const auto next = traded(sub(k, symbol).baseline, old.allocated[k], old.amounts[k]);
    if (!next) return false;
    sub(k, symbol).baseline = *next;
  }
  return true;
}

void Engine::State::book_fill(Order& order, std::int64_t filled, Money average, const BrokerEvent& event) {
  const std::int64_t sign = order.sign();
  const auto total = notional(average, Quantity{sign * filled});
  if (!total) return trip("a fill does not fit the fixed-point range", "engine", false);
  std::array<std::int64_t, kMaxStrategies> parts{}, amounts{};
  const auto all = [this](auto& values) { return std::span(values).first(strategy_count); };
  allocate(all(order.shares), sign * filled, config.symbols[order.symbol].quantity_increment.raw, parts);
  if (!price_parts(all(parts), average, total->raw, amounts)) {
    return trip("a fill does not fit the fixed-point range", "engine", false);
  }
  const std::int64_t more = filled - order.filled;
  const std::int64_t paid = total->raw - sign * order.filled_notional;
  const std::array<std::int64_t, kMaxStrategies> parts_before = order.allocated, amounts_before = order.amounts;
  order.filled = filled;
  order.filled_notional = sign * total->raw;
  order.allocated = parts;
  order.amounts = amounts;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    if (parts_before[k] == 0 && parts[k] != 0) ++strategy_records[k].trades;
    parts[k] -= parts_before[k];
    amounts[k] -= amounts_before[k];
  }
  const std::uint32_t slot = order_index.find(order.client_id);
  const bool current = symbols[order.symbol].book_order == slot || symbols[order.symbol].replaced == slot;
  const bool booked = current ? rebook(order.symbol) : book_late(order, parts, amounts);
  if (!booked || __builtin_sub_overflow(cash.raw, paid, &cash.raw)) {
    return trip("a fill does not fit the books", "engine", false);
  }
  if (order.filled > order.quantity) {
    alert(Severity::kCritical, config.symbols[order.symbol].symbol, "the broker filled more than was ordered");
  }
  calendar.turnover += std::abs(paid);
  reconcile.books_moved = true;
  if (symbols[order.symbol].mismatch) reconcile_soon();
  refresh(order.symbol);
  const auto price = divide_half_even(static_cast<Int128>(std::abs(paid)) * kQuantityScale, more);
  const bool exact = event.execution_quantity.raw == more && event.execution_price.raw > 0;
  record_fills(order, all(parts), exact ? event.execution_price : Money{price.value_or(average.raw)}, event);
  record_positions(order.symbol);
}

// The baseline, plus all that the replaced and the current order have filled.
bool Engine::State::rebook(std::uint32_t symbol) {
  SymbolState& state = symbols[symbol];
  Book account = state.baseline;
  const std::array<std::uint32_t, 2> slots{state.replaced, state.book_order};
  for (const std::uint32_t slot : slots) {
    if (slot == kNil) continue;
    const Order& order = orders[slot];
    const auto next = traded(account, order.sign() * order.filled, order.sign() * order.filled_notional);
    if (!next) return false;
    account = *next;
  }
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    Book book = s.baseline;
    for (const std::uint32_t slot : slots) {
      if (slot == kNil) continue;
      const auto next = traded(book, orders[slot].allocated[k], orders[slot].amounts[k]);
      if (!next) return false;
      book = *next;
    }
    s.book = book;
    if (s.phase == SubPhase::kIdle) s.target = s.book.position;
  }
  state.book = account;
  return true;
}

// News of an order whose symbol has moved on: its increase goes below the current order, whose part is then put on top
// again.
bool Engine::State::book_late(const Order& order, std::span<const std::int64_t> parts,
                              std::span<const std::int64_t> amounts) {
  SymbolState& state = symbols[order.symbol];
  if (state.book_order == kNil) set_baseline(order.symbol);
  std::int64_t quantity = 0, paid = 0;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, order.symbol);
    const auto base = traded(s.baseline, parts[k], amounts[k]);
    if (!base) return false;
    s.baseline = *base;
    quantity += parts[k];
    paid += amounts[k];
  }
  const auto base = traded(state.baseline, quantity, paid);
  if (!base) return false;
  state.baseline = *base;
  if (!rebook(order.symbol)) return false;
  if (state.working == kNil) settle_trades(order.symbol);
  state.dirty = true;  // an accepted intent may now need less, or more
  alert(Severity::kWarning, config.symbols[order.symbol].symbol, "a fill of a finished order was booked");
  return true;
}

void Engine::State::emit_fill(const FillRecord& proto, std::size_t strategy, std::int64_t signed_quantity,
                              bool internal) {
  if (signed_quantity == 0) return;
  FillRecord fill = proto;
  fill.strategy = config.strategies[strategy].uid;
  fill.side = signed_quantity < 0 ? Side::kSell : Side::kBuy;
  fill.quantity = Quantity{std::abs(signed_quantity)};
  fill.internal = internal;
  ++counts.fills;
  out->records.emplace_back(fill);
}

// Parts against the execution's side were crossed inside the account; the same amount on its side was, too. The rest is
// what the broker traded.
void Engine::State::record_fills(const Order& order, std::span<const std::int64_t> parts, Money price,
                                 const BrokerEvent& event) {
  FillRecord fill;
  fill.client_order_id = order.client_id;
  fill.broker_order_id = order.broker_id;
  fill.symbol = config.symbols[order.symbol].symbol;
  fill.price = price;
  fill.time = event.broker_time != 0 ? event.broker_time : now;
  fill.execution_id = event.execution_id;
  if (fill.execution_id.empty() || event.execution_quantity.raw == 0) {
    Sha256 hash;
    hash.update_text(order.client_id.view());
    hash.update_i64(order.filled);
    fill.execution_id = execution_id(hash);
  }
  const std::int64_t sign = order.sign();
  std::array<std::int64_t, kMaxStrategies> with{}, inside{};
  std::int64_t crossed = 0, total = 0;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    if ((parts[k] < 0) != (sign < 0))
      crossed += std::abs(parts[k]);
    else
      with[k] = parts[k];
    total += with[k];
  }
  if (total != 0) {
    allocate(std::span(with).first(parts.size()), sign * crossed, config.symbols[order.symbol].quantity_increment.raw,
             inside);
  }
  for (std::size_t k = 0; k < parts.size(); ++k) {
    emit_fill(fill, k, with[k] - inside[k], false);
    emit_fill(fill, k, with[k] != 0 ? inside[k] : parts[k], true);
  }
}

void Engine::State::record_positions(std::uint32_t symbol) {
  const SymbolState& state = symbols[symbol];
  const auto add = [&](const Book& book, const StrategyId& strategy) {
    out->records.emplace_back(PositionRecord{config.symbols[symbol].symbol, strategy, Quantity{book.position},
                                             Money{book.average_price()}, Money{book.realized}, state.price, now});
  };
  for (std::size_t k = 0; k < strategy_count; ++k) {
    const Sub& s = sub(k, symbol);
    if (!(s.book == s.baseline) || s.book.position != 0 || s.book.realized != 0) add(s.book, config.strategies[k].uid);
  }
  add(state.book, StrategyId{});
}

// A trade of a strategy ends when its position is closed or turned. Counted once the order that did it has ended.
void Engine::State::settle_trades(std::uint32_t symbol) {
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    const std::int64_t gain = s.book.realized - s.trade_start;
    const bool turned = s.baseline.position != 0 && (s.baseline.position < 0) != (s.book.position < 0);
    if (s.baseline.position == 0 || (s.book.position != 0 && !turned)) continue;
    s.trade_start = s.book.realized;
    if (gain > 0) calendar.losses = 0;
    if (gain >= 0) continue;
    ++calendar.losses;
    if (calendar.losses >= config.limits.max_consecutive_losses && config.limits.max_consecutive_losses >= 0) {
      calendar.loss_pause = true;
    }
  }
}

}  // namespace tradewind
