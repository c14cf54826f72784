// Core: strategies that are being deleted: no more decisions, then, as the configuration says, their orders are
// cancelled, and their positions closed: orders that pass the gate like any other, tried again while it refuses.
#include <algorithm>

#include "state.hpp"

namespace tradewind {

// Before anything is routed, so that what fills late is seen, too. What protects a position (a bracket's exit, a
// limit's cut) is no decision of the strategy, and goes on.
void Engine::State::leave_strategies() {
  for (std::size_t k = 0; k < strategy_count; ++k) {
    const Leaving leaving = config.strategies[k].leaving;
    if (leaving != Leaving::kCancel && leaving != Leaving::kFlatten) continue;
    const bool due = now >= departures[k].next;
    for (std::uint32_t i = 0; i < symbol_count; ++i) {
      Sub& s = sub(k, i);
      if (s.phase == SubPhase::kPending) {
        reject_sub(s, RejectCode::kStrategyLeaving,
                   Denial{RejectCode::kStrategyLeaving, Unit::kNone, 0, 0, 0}.message());
      } else if (s.phase == SubPhase::kActive && s.exit == ExitReason::kNone) {
        idle(s);
        symbols[i].dirty = true;
        symbols[i].cross_pending = false;
      }
      if (leaving == Leaving::kFlatten && due && s.phase == SubPhase::kIdle && s.book.position != 0) try_exit(k, i);
    }
  }
}

// What the gate would refuse is not asked of it in earnest: each refusal would be a record, all weekend long.
void Engine::State::try_exit(std::size_t strategy, std::uint32_t symbol) {
  Sub& s = sub(strategy, symbol);
  RiskRequest request;
  request.quantity = Quantity{-s.book.position};
  request.time_in_force = plain_life(config.symbols[symbol].symbol);
  request.reduce_only = reduces(symbol, request.quantity.raw);
  request.rests_overnight = config.strategies[strategy].rests_overnight;
  const Denial denial = request.reduce_only ? check_risk(Stage::kOrder, request, snapshot(symbol)) : Denial{};
  if (denial.denied()) return hold_exits(strategy, symbol, denial.code);
  departures[strategy].refused = RejectCode::kOk;
  leave(s, symbol, ExitReason::kDeleted);
}

// An exit was refused, or ended unfilled.
void Engine::State::exit_failed(const Sub& s, RejectCode code) {
  if (s.exit != ExitReason::kDeleted || s.book.position == 0) return;
  const auto index = static_cast<std::size_t>(&s - subs.data());
  hold_exits(index % strategy_count, static_cast<std::uint32_t>(index / strategy_count), code);
}

// All exits of the strategy wait, each time for twice as long.
void Engine::State::hold_exits(std::size_t strategy, std::uint32_t symbol, RejectCode code) {
  Departure& departure = departures[strategy];
  if (departure.refused != code) {
    alert(Severity::kWarning, config.symbols[symbol].symbol,
          "the position of a deleted strategy can't be closed now; it is tried again");
  }
  departure.refused = code;
  if (now >= departure.next) departure.next = now + (config.retry_after << std::min(departure.tries++, 6U));
}

// What a bracket, a limit or the kill switch closes protects the position and is no order of the strategy: it goes on
// for as long as it takes, and nobody waits for it. An order that makes way for it does work for the strategy still.
void Engine::remains(std::vector<Remains>& out) const {
  const State& s = *state_;
  out.clear();
  for (std::size_t k = 0; k < s.strategy_count; ++k) {
    if (s.config.strategies[k].leaving == Leaving::kNo) continue;
    Remains& left = out.emplace_back();
    left.strategy = s.config.strategies[k].uid;
    left.refused = s.departures[k].refused;
    for (std::size_t i = 0; i < s.symbol_count; ++i) {
      const Sub& sub = s.sub(k, i);
      const std::int64_t held = sub.book.position;
      const bool protects = sub.phase == SubPhase::kActive && held != 0 && sub.exit != ExitReason::kNone &&
                            sub.exit != ExitReason::kDeleted;
      bool works = sub.phase != SubPhase::kIdle && !protects;
      s.each_open(s.symbols[i], [&](const Order& order) {
        const std::int64_t share = order.shares[k] - order.allocated[k];
        const bool closes = held != 0 && (share < 0) != (held < 0);
        const bool exit = protects && order.cancel == CancelReason::kNone && order.placed == s.placement(sub);
        if (share != 0 && !(closes && (exit || order.origin == Origin::kKillSwitch))) works = true;
      });
      left.orders += works ? 1 : 0;
      left.positions += sub.book.position != 0 ? 1 : 0;
    }
  }
}

}  // namespace tradewind
