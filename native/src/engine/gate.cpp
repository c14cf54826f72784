// Core: what the risk gate is shown: a snapshot of the account as one symbol's request would meet it.
#include <algorithm>
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
  s.broker_rest = rest.state;
  s.market_data = feed;
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

// Only if every strategy with a part in the order may wait: the order cannot be taken apart.
bool Engine::State::rests_overnight(std::uint32_t symbol) const {
  const Wishes each = wishes(symbol);
  bool all = true;
  for (std::size_t k = 0; k < strategy_count; ++k) all = all && (each[k] == 0 || config.strategies[k].rests_overnight);
  return all;
}

// Of the position after the order, the part that stop-losses protect, and what that part loses if each is reached: from
// the last price, or from the order's own where that is worse. A stop counts as no nearer than an overnight gap,
// because the engine sees it with a bar and leaves at the next price. Where strategies hold against each other, what
// has no stop counts first.
void Engine::State::note_stops(std::uint32_t symbol, RiskRequest& request) const {
  const RiskLimits& l = config.limits;
  const std::int64_t after = symbols[symbol].book.position + request.quantity.raw;
  if (l.trade_risk == kNoLimit && l.trade_risk_hard == kNoLimit) return;
  const Int128 price = symbols[symbol].price.raw;
  const Int128 own = own_price(request.order_type, request.limit_price, request.terms).raw;
  const Int128 entry = own == 0 ? price : after > 0 ? std::max(price, own) : std::min(price, own);
  const std::int64_t move = estimates[symbol].known ? estimates[symbol].move : assumed_move;
  const Int128 gap = l.gap_move == kNoLimit ? Int128{0} : ((price * move) >> kReturnBits) * l.gap_move / kRatioScale;
  const auto lost = [&](Int128 from, Money stop, Int128 quantity) {
    const Int128 distance = after > 0 ? from - stop.raw : stop.raw - from;
    return std::max(distance, gap) * quantity / kQuantityScale;
  };
  Int128 stopped = 0, open = 0, risk = 0;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    const Sub& s = sub(k, symbol);
    const std::int64_t wish = s.book.position + wanted(s);
    if (wish == 0 || (wish < 0) != (after < 0)) continue;
    const Money stop = s.phase == SubPhase::kPending ? intents[s.intent].intent.stop_loss : s.stop_loss;
    const Int128 all = std::abs(wish);
    const bool held_alike = s.book.position != 0 && (s.book.position < 0) == (after < 0);
    const Int128 held = std::min<Int128>(all, held_alike ? std::abs(s.book.position) : 0);
    (stop.raw > 0 ? stopped : open) += all;
    if (stop.raw > 0) risk += lost(price, stop, held) + lost(entry, stop, all - held);
  }
  const Int128 covered = std::min(stopped, std::max<Int128>(std::abs(after) - open, 0));
  if (covered == 0) return;
  request.stopped = static_cast<std::int64_t>(covered);
  request.stop_risk = covered == stopped ? risk : risk / stopped * covered;
}

Denial Engine::State::gate(std::uint32_t symbol, RiskRequest request) const {
  request.reduce_only = reduces(symbol, request.quantity.raw);
  request.rests_overnight = rests_overnight(symbol);
  if (!request.reduce_only) note_stops(symbol, request);
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
