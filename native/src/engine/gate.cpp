// Core: what the risk gate is shown: a snapshot of the account as one symbol's request would meet it.
#include <cstdlib>

#include "state.hpp"

namespace tradewind {

RiskSnapshot Engine::State::snapshot(std::uint32_t symbol) const {
  const SymbolState& own = symbols[symbol];
  RiskSnapshot s;
  s.now = now;
  s.session = session;
  s.limits = &config.limits;
  s.symbol = &config.symbols[symbol];
  s.mode = config.mode;
  s.kill_switch = kill.latched;
  s.paused = paused;
  s.shutdown = shutdown;
  s.fenced = fenced;
  s.link_up = link_up;
  s.reconciled = ready;
  s.mismatch = own.mismatch;
  s.broker_position = Quantity{own.broker_position};
  s.account_known = account_known;
  s.overflow = totals.overflows > 0;
  s.equity = equity();
  s.price = own.price;
  s.price_time = own.price_time;
  s.position = Quantity{own.book.position};
  s.gross = totals.gross - own.gross;
  s.net_long = totals.net_long - own.net_long;
  s.net_short = totals.net_short - own.net_short;
  s.shorts = totals.shorts - own.shorts;
  s.sector_gross = sector_gross[own.sector] - own.gross;
  s.gross_own = own.gross;
  s.positions = totals.held - (own.held ? 1 : 0);
  s.leverage = leverage;
  s.volatility_factor = volatility_factor();
  s.size_factor = ladder * s.volatility_factor / kRatioScale;
  s.volatility_index = volatility_index;
  s.day_high = calendar.day_high;
  s.week_start = calendar.week_start;
  s.month_start = calendar.month_start;
  s.peak = calendar.peak;
  s.trades_today = calendar.trades_today;
  s.turnover_today = calendar.turnover + totals.pending;
  s.estimate = &estimates[symbol];
  s.scenarios = &scenarios;
  s.assumed_move = assumed_move;
  s.in_group = s.estimate->group != kNil;
  s.group_gross = s.in_group ? group_gross[s.estimate->group] - own.gross : 0;
  s.open_loss = open_loss(symbol);
  s.loss_pause = calendar.loss_pause;
  s.consecutive_losses = calendar.losses;
  s.rate_arrival = rate_arrival;
  return s;
}

// Opposite side and no more than what is held. At most one order works per symbol, so nothing else is closing it.
bool Engine::State::reduces(std::uint32_t symbol, std::int64_t quantity) const {
  const std::int64_t position = symbols[symbol].book.position;
  return position != 0 && (position < 0) != (quantity < 0) && std::abs(quantity) <= std::abs(position);
}

// Only if every strategy with a wish in the symbol may wait: the order cannot be taken apart.
bool Engine::State::rests_overnight(std::uint32_t symbol) const {
  bool all = true;
  for (std::size_t k = 0; k < strategy_count; ++k)
    all = all && (wanted(sub(k, symbol)) == 0 || config.strategies[k].rests_overnight);
  return all;
}

Denial Engine::State::gate(std::uint32_t symbol, RiskRequest request) const {
  request.reduce_only = reduces(symbol, request.quantity.raw);
  request.rests_overnight = rests_overnight(symbol);
  return check_risk(Stage::kOrder, request, snapshot(symbol));
}

Denial Engine::check_order(const Symbol& symbol, Quantity quantity, OrderType type, Money limit_price) const {
  const std::uint32_t index = state_->symbol_index.find(symbol);
  if (index == kNil) return {RejectCode::kUnknownSymbol, Unit::kNone, 0, 0, 0};
  RiskRequest request;
  request.quantity = quantity;
  request.order_type = type;
  request.limit_price = limit_price;
  return state_->gate(index, request);
}

// For an order that is sent again or replaced: it already counts as exposure, so it is looked at as if it were not
// there.
Denial Engine::State::gate_without_working(std::uint32_t symbol, const RiskRequest& request) {
  const std::uint32_t working = symbols[symbol].working;
  symbols[symbol].working = kNil;
  refresh(symbol);
  const Denial denial = gate(symbol, request);
  symbols[symbol].working = working;
  refresh(symbol);
  return denial;
}

}  // namespace tradewind
