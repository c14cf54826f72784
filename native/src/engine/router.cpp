// Core: from targets to orders: net the strategies of a symbol, at most one working order, never across zero in one
// order.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

#include "state.hpp"

namespace tradewind {

// What of the way to the target may be traded now: no more than the schedule has released, and never away from it.
std::int64_t Engine::State::wanted(const Sub& s) const {
  if (s.phase == SubPhase::kIdle) return 0;
  const std::int64_t whole = s.target - s.book.position, part = s.interim - s.book.position;
  if (part == 0 || (part < 0) != (whole < 0)) return 0;
  if (s.exit == ExitReason::kLimitBreach && !still_cuts(s)) return 0;
  return std::abs(part) < std::abs(whole) ? part : whole;
}

// What each strategy trades with the next order. Who leaves a position does so first: an order has one price, and a
// stop-loss must not wait for another strategy's limit, nor that strategy pay the market's price.
Wishes Engine::State::wishes(std::uint32_t symbol) const {
  Wishes all{};
  const Sub* leaving = nullptr;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    const Sub& s = sub(k, symbol);
    all[k] = wanted(s);
    if (all[k] != 0 && s.exit != ExitReason::kNone) leaving = &s;
  }
  if (leaving == nullptr) return all;
  const Placement first = placement(*leaving);
  for (std::size_t k = 0; k < strategy_count; ++k) {
    if (all[k] != 0 && placement(sub(k, symbol)) != first) all[k] = 0;
  }
  return all;
}

// At the end of a batch of intents and when time passes; in the order of the symbols, so that the order in which fills
// became known decides nothing. While nothing may be sent, undecided intents are refused; what was accepted before
// waits for the account to be reconciled.
void Engine::State::flush() {
  evaluate();
  advance_works();
  const bool sending = ready && !kill.latched && !shutdown;
  if (sending) {
    leave_strategies();
    cut_positions();
  }
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    if (!symbols[s].dirty) continue;
    if (sending) {
      route(s);
    } else {
      check_intents(s);
    }
  }
}

// Orders that were cancelled or replaced to be netted anew: all of them together, once the last cancel is confirmed and
// every request is answered, again in the order of the symbols and not in that of the answers.
void Engine::State::route_when_quiet() {
  if (!rerouting || !ready || kill.latched || shutdown) return;
  bool any = false;
  for (const SymbolState& symbol : symbols) {
    if (!symbol.reroute) continue;
    if (symbol.working != kNil && (replacing(symbol) || orders[symbol.working].cancel != CancelReason::kNone)) return;
    any = true;
  }
  rerouting = any;
  if (!any || pending_requests() != 0) return;
  leave_strategies();
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    if (symbols[s].reroute) route(s);
  }
}

// Looks at each undecided intent on its own, so that one strategy's fault does not stop another's order.
void Engine::State::check_intents(std::uint32_t symbol) {
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    if (s.phase != SubPhase::kPending) continue;
    const Intent& intent = intents[s.intent].intent;
    const RiskSnapshot view = snapshot(symbol);
    RiskRequest request;
    const Placement placed = placement(s);
    request.quantity = Quantity{s.target - s.book.position};
    request.order_type = placed.type;
    request.time_in_force = placed.tif;
    request.limit_price = placed.limit_price;
    request.terms = placed.terms;
    request.valid_until = intent.valid_until;
    request.champion = intent.champion;
    request.gates_passed = intent.gates_passed;
    request.capital_budget = config.strategies[k].capital_budget;
    request.capital_share = config.strategies[k].capital_share;
    request.rests_overnight = config.strategies[k].rests_overnight;
    Int128 held = 0, others = 0;
    for (std::uint32_t i = 0; i < symbol_count; ++i) {
      const Sub& other = sub(k, i);
      const std::int64_t position = std::abs(other.book.position);
      const std::int64_t most =
          other.phase == SubPhase::kActive ? std::max(position, std::abs(other.target)) : position;
      const Int128 price = symbols[i].price.raw;
      held += price * position / kQuantityScale;
      if (i != symbol) others += price * most / kQuantityScale;
    }
    const Int128 then = others + static_cast<Int128>(view.price.raw) * std::abs(s.target) / kQuantityScale;
    constexpr Int128 top = std::numeric_limits<std::int64_t>::max();
    request.strategy_gross = static_cast<std::int64_t>(std::min(then, top));
    request.strategy_gross_now = static_cast<std::int64_t>(std::min(held, top));
    const Denial denial = check_risk(Stage::kIntent, request, view);
    if (denial.denied()) reject_sub(s, denial.code, denial.message());
  }
}

// The next order towards `need`: closes what is held first and never crosses zero; whole increments, or all that is
// held.
std::int64_t Engine::State::next_slice(std::uint32_t symbol, std::int64_t need) const {
  const std::int64_t position = symbols[symbol].book.position;
  const bool closes = position != 0 && (position < 0) != (need < 0);
  if (closes && std::abs(need) >= std::abs(position)) return -position;
  const std::int64_t step = config.symbols[symbol].quantity_increment.raw;
  return need / step * step;
}

// Whether the order, of which nothing is filled, is as large as the next one would be.
bool Engine::State::still_needed(const Order& order) const {
  const Wishes each = wishes(order.symbol);
  return next_slice(order.symbol, std::accumulate(each.begin(), each.end(), std::int64_t{0})) == order.remaining();
}

// The strategy whose intent names the order: the largest wish on the order's side, then the lower uid.
std::uint32_t Engine::State::primary_strategy(const Wishes& wishes, std::int64_t need) const {
  std::uint32_t best = kNil;
  std::int64_t most = 0;
  for (std::uint32_t k = 0; k < strategy_count; ++k) {
    if ((wishes[k] < 0) == (need < 0) && std::abs(wishes[k]) > most) {
      best = k;
      most = std::abs(wishes[k]);
    }
  }
  return best;
}

void Engine::State::route(std::uint32_t symbol) {
  SymbolState& state = symbols[symbol];
  state.dirty = state.reroute = state.cross_pending = false;
  check_intents(symbol);
  // Each turn sends, waits, or resets the wishes on one side, first of those that leave: the fourth refusal leaves
  // none.
  for (int turn = 0; turn < 5; ++turn) {
    const Wishes each = wishes(symbol);
    const std::int64_t need = std::accumulate(each.begin(), each.end(), std::int64_t{0});
    const std::int64_t slice = need == 0 ? 0 : next_slice(symbol, need);
    if (state.working != kNil) {
      if (keep_working(symbol, each, need)) return;
      if (!replacing(state) && may_replace(symbol, each, need)) {
        if (send_slice(symbol, each, slice, need, true)) return;
        continue;
      }
      want_reroute(state);
      Order& order = orders[state.working];
      if (!replacing(state) && order.cancel == CancelReason::kNone) request_cancel(order, CancelReason::kReroute);
      return;
    }
    if (slice == 0) return settle_without_order(symbol, each, need);
    if (now < state.hold_until) {
      state.dirty = true;
      return;
    }
    if (send_slice(symbol, each, slice, need, false)) return;
  }
}

// True when the working order is just what is needed.
bool Engine::State::keep_working(std::uint32_t symbol, const Wishes& each, std::int64_t need) {
  Order& order = orders[symbols[symbol].working];
  if (!replacing(symbols[symbol]) && order.cancel == CancelReason::kNone && order.origin != Origin::kKillSwitch &&
      need != 0 && next_slice(symbol, need) == order.remaining()) {
    const std::uint32_t primary = primary_strategy(each, need);
    if (placement(sub(primary, symbol)) == order.placed) {
      bool same_parts = true;
      for (std::size_t k = 0; k < strategy_count; ++k) {
        const std::int64_t left = order.shares[k] - order.allocated[k];
        same_parts = same_parts && (need == order.remaining() ? left == each[k] : (left < 0) == (each[k] < 0));
      }
      if (same_parts) {
        for (std::size_t k = 0; k < strategy_count; ++k) {
          Sub& s = sub(k, symbol);
          if (s.phase == SubPhase::kPending) accept_sub(s, each[k] != 0 ? order.client_id : ClientOrderId{});
          if (each[k] == 0) continue;
          order.intents[k] = s.intent;
          order.intent_ids[k] = intents[s.intent].intent.id;
        }
        return true;
      }
    }
  }
  return false;
}

// Nothing to send: what the strategies want cancels out, and is crossed at the next open, or is nothing. Who waited for
// those that leave is routed after them.
void Engine::State::settle_without_order(std::uint32_t symbol, const Wishes& each, std::int64_t need) {
  SymbolState& state = symbols[symbol];
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    if (s.phase == SubPhase::kIdle) continue;
    const bool crosses = need == 0 && each[k] != 0, waits = each[k] == 0 && wanted(s) != 0;
    accept_sub(s, {});
    if (waits) state.dirty = true;
    if (!crosses && !waits) settle(s);
    if (crosses && !state.cross_pending) {
      state.cross_pending = true;
      state.cross_after = state.price_time;
    }
  }
}

// As a new order, or in place of the working one. False when the gate refused: the wishes on the order's side are then
// reset, those of the other side stay.
bool Engine::State::send_slice(std::uint32_t symbol, const Wishes& each, std::int64_t slice, std::int64_t need,
                               bool in_place) {
  const std::uint32_t primary = primary_strategy(each, need);
  IntentEntry& entry = intents[sub(primary, symbol).intent];
  RiskRequest request;
  request.quantity = Quantity{slice};
  const Placement placed = placement(sub(primary, symbol));
  request.order_type = placed.type;
  request.time_in_force = placed.tif;
  request.limit_price = placed.limit_price;
  request.terms = placed.terms;
  if (in_place) request.origin = Origin::kReplace;
  Denial denial = in_place ? gate_without_working(symbol, request) : gate(symbol, request);
  ClientOrderId id;
  std::uint32_t slot = kNil;
  if (!denial.denied()) {
    Sha256 hash;
    hash.update_text(entry.intent.id.view());
    hash.update_u32(entry.slices);
    id = client_order_id(hash);
    if (order_index.find(id) == kNil) slot = in_place ? new_replacement(symbol, id) : new_order(symbol, id);
    if (slot == kNil) denial.code = RejectCode::kCapacity;
  }
  if (denial.denied()) {
    for (std::size_t k = 0; k < strategy_count; ++k) {
      Sub& s = sub(k, symbol);
      if (each[k] != 0 && (each[k] < 0) == (need < 0)) reject_sub(s, denial.code, denial.message());
    }
    return false;
  }
  ++entry.slices;
  Order& order = orders[slot];
  order.side = slice < 0 ? Side::kSell : Side::kBuy;
  order.placed = placed;
  order.exit = sub(primary, symbol).exit;
  const StrategyConfig& strategy = config.strategies[primary];
  order.ttl = (strategy.order_ttl != kAbsent ? strategy.order_ttl : config.order_ttl)
              << std::min<std::uint32_t>(entry.timeouts, 6);
  order.accept_fill = strategy.accept_fill;
  order.quantity = std::abs(slice);
  order.reduce_only = reduces(symbol, slice);
  allocate(std::span(each).first(strategy_count), slice, config.symbols[symbol].quantity_increment.raw, order.shares);
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    if (each[k] != 0) {
      order.intents[k] = s.intent;
      order.intent_ids[k] = intents[s.intent].intent.id;
    }
    if (s.phase == SubPhase::kPending) accept_sub(s, each[k] != 0 ? id : ClientOrderId{});
    if (wanted(s) == 0 && s.phase != SubPhase::kIdle) settle(s);
  }
  if (in_place)
    replace(orders[symbols[symbol].replaced], order);
  else
    submit(order);
  return true;
}

// Opposite wishes that add up to nothing trade with each other at `price`; the account does not move.
void Engine::State::cross(std::uint32_t symbol, Money price) {
  SymbolState& state = symbols[symbol];
  state.cross_pending = false;
  Wishes parts = wishes(symbol);
  std::array<std::int64_t, kMaxStrategies> amounts{};
  if (kill.latched && kill.flatten) {
    for (std::size_t k = 0; k < strategy_count; ++k) parts[k] = -sub(k, symbol).book.position;
  }
  const std::int64_t total = std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
  if (total != 0) {  // a late fill came between: net again
    state.dirty = true;
    return;
  }
  if (!price_parts(std::span(parts).first(strategy_count), price, 0, amounts)) return;
  FillRecord fill;
  fill.symbol = config.symbols[symbol].symbol;
  fill.price = price;
  fill.time = now;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    if (parts[k] == 0) continue;
    const auto next = traded(s.book, parts[k], amounts[k]);
    if (!next) return trip("a book overflowed while crossing", "engine", false);
    s.book = *next;
    Sha256 hash;
    hash.update_text(s.intent != kNil ? intents[s.intent].intent.id.view() : config.strategies[k].uid.view());
    hash.update_text(fill.symbol.view());
    hash.update_i64(state.price_time);
    fill.execution_id = execution_id(hash);
    emit_fill(fill, k, parts[k], true);
    if (s.phase == SubPhase::kActive) settle(s);  // one without a verdict still waits for it
  }
  settle_trades(symbol);
  set_baseline(symbol);
  record_positions(symbol);
}

}  // namespace tradewind
