// Core: the kill switch: latch and refuse, cancel all, await confirmation, flatten, verify. Released only by a named
// person.
#include <algorithm>
#include <cstdlib>

#include "state.hpp"

namespace tradewind {

void Engine::State::set_kill_phase(KillPhase phase) {
  if (kill.phase == phase) return;
  kill.phase = phase;
  out->records.emplace_back(KillRecord{phase, kill.reason, kill.issued_by, now});
}

void Engine::State::trip(std::string_view reason, std::string_view issued_by, bool flatten) {
  if (kill.latched) {
    if (flatten && !kill.flatten) {
      kill.flatten = true;
      set_kill_phase(KillPhase::kFlattenPending);
    }
    return;
  }
  const std::uint32_t number = kill.number + 1;
  kill = Kill{};
  kill.latched = true;
  kill.flatten = flatten;
  kill.number = number;
  kill.reason.assign(reason.substr(0, 200));
  kill.issued_by.assign(issued_by.substr(0, 200));
  set_kill_phase(KillPhase::kLatched);
  alert(Severity::kCritical, Symbol{}, "the kill switch is latched");
  const ShortText text = Denial{RejectCode::kKillSwitch, Unit::kNone, 0, 0, 0}.message();
  for (SymbolState& symbol : symbols) {
    symbol.dirty = symbol.reroute = symbol.cross_pending = false;
    symbol.flatten_tries = symbol.kill_slice = 0;
    symbol.flatten_next = 0;
    if (symbol.working != kNil) request_cancel(orders[symbol.working], CancelReason::kKill);
  }
  for (Sub& s : subs) {
    if (s.phase == SubPhase::kPending)
      reject_sub(s, RejectCode::kKillSwitch, text);
    else if (s.phase == SubPhase::kActive)
      idle(s);
  }
}

void Engine::State::release(const Control& control) {
  if (control.issued_by.empty()) return alert(Severity::kWarning, Symbol{}, "a resume without a name was ignored");
  paused = false;
  if (!kill.latched) return;
  const std::uint32_t number = kill.number;
  kill = Kill{};
  kill.number = number;
  out->records.emplace_back(KillRecord{KillPhase::kReleased, control.reason, control.issued_by, now});
  // The person has seen the loss: it is measured from here, and the size comes back by the ladder.
  calendar.peak = calendar.day_high = account_known ? equity() : Money{};
  for (SymbolState& symbol : symbols) symbol.cross_pending = false;
  recent = RecentEquity{};
  ready = ready && link_up;
}

// Called after every input while latched: one step further when the last is confirmed.
void Engine::State::advance_kill() {
  if (!kill.latched || !kill.flatten || kill.phase == KillPhase::kFlat || shutdown || fenced) return;
  bool working = false;
  for (const SymbolState& symbol : symbols) {
    if (symbol.working == kNil) continue;
    if (orders[symbol.working].origin != Origin::kKillSwitch) {  // its cancel is not confirmed
      if (!link_up) {
        look_by_rest();
        set_kill_phase(KillPhase::kFlattenPending);
      }
      return;
    }
    working = true;
  }
  if (!link_up) look_by_rest();
  if (!ready && !kill.verifying) return set_kill_phase(KillPhase::kFlattenPending);
  if (kill.verifying || now < kill.verify_next) return;
  if (kill.look) {
    kill.look = false;
    reconcile = Reconcile{};
    ask_snapshot();
    return set_kill_phase(KillPhase::kFlattenPending);
  }
  bool waiting = false;
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    if (symbols[s].working != kNil || symbols[s].book.position == 0) continue;
    if (now >= symbols[s].flatten_next && flatten_symbol(s))
      working = true;
    else
      waiting = true;
  }
  // Sent after the close they wait for the open at the broker: should this process die, they are there all the same.
  if (waiting || (working && (!link_up || market_closed()))) return set_kill_phase(KillPhase::kFlattenPending);
  if (working) return set_kill_phase(KillPhase::kFlattening);
  for (std::uint32_t s = 0; s < symbol_count; ++s) {
    bool opposite = false;  // the account is flat and its strategies are not: they cross at the next open
    for (std::size_t k = 0; k < strategy_count; ++k) opposite = opposite || sub(k, s).book.position != 0;
    if (!opposite || symbols[s].cross_pending) continue;
    symbols[s].cross_pending = true;
    symbols[s].cross_after = symbols[s].price_time;
  }
  kill.verifying = true;
  set_kill_phase(KillPhase::kFlattening);
  reconcile = Reconcile{};
  ask_snapshot();
}

// The stream is down: what became of orders and positions is asked for by REST, ever more seldom, and the account so
// reconciled is traded flat by REST as well.
void Engine::State::look_by_rest() {
  if (now < kill.look_next || reconcile.request != 0 || reconcile.phase != ReconcilePhase::kIdle) return;
  kill.look_next = now + (config.retry_after << std::min<std::uint32_t>(kill.looks++, 5));
  reconcile = Reconcile{};
  ask_snapshot();
}

// A cancel of an order that no book knows; its end shows in the next snapshot.
void Engine::State::push_foreign_cancel(const BrokerOrder& order) {
  BrokerRequest request;
  request.kind = RequestKind::kCancel;
  request.request_id = next_request++;
  request.client_order_id = order.client_order_id;
  request.broker_order_id = order.broker_order_id;
  request.symbol = order.symbol;
  out->requests.push_back(request);
}

// A reduce-only market order for all that the account holds of the symbol. It passes the gate like any other.
bool Engine::State::flatten_symbol(std::uint32_t symbol) {
  SymbolState& state = symbols[symbol];
  const std::int64_t quantity = -state.book.position;
  RiskRequest request;
  request.origin = Origin::kKillSwitch;
  request.quantity = Quantity{quantity};
  request.time_in_force = plain_life(config.symbols[symbol].symbol);
  const Denial denial = gate(symbol, request);
  Sha256 hash;
  hash.update_text("kill");
  hash.update_text(config.account);
  hash.update_u32(kill.number);
  hash.update_text(config.symbols[symbol].symbol.view());
  hash.update_u32(state.kill_slice);
  const ClientOrderId id = client_order_id(hash);
  const std::uint32_t slot = denial.denied() ? kNil : new_order(symbol, id);
  if (slot == kNil) {
    state.flatten_next = now + (config.retry_after << std::min<std::uint32_t>(state.flatten_tries++, 6));
    return false;
  }
  ++state.kill_slice;
  Order& order = orders[slot];
  order.origin = Origin::kKillSwitch;
  order.side = quantity < 0 ? Side::kSell : Side::kBuy;
  order.placed.type = OrderType::kMarket;
  order.placed.tif = request.time_in_force;
  order.quantity = std::abs(quantity);
  order.reduce_only = true;
  order.ttl = config.order_ttl;
  for (std::size_t k = 0; k < strategy_count; ++k) order.shares[k] = -sub(k, symbol).book.position;
  submit(order);
  return true;
}

// The broker was asked once more after everything closed.
void Engine::State::verified() {
  kill.verifying = false;
  const bool flat =
      std::all_of(symbols.begin(), symbols.end(), [](const SymbolState& s) { return s.broker_position == 0; });
  if (flat) return set_kill_phase(KillPhase::kFlat);
  kill.verify_next = now + (config.retry_after << 6);
  alert(Severity::kCritical, Symbol{},
        "the broker still holds positions that are in no book; close them at the broker");
  set_kill_phase(KillPhase::kFlattenPending);
}

}  // namespace tradewind
