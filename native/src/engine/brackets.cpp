// Core: stop-loss and take-profit of a strategy's position, held by the engine and not by the broker: see
// docs/decisions for why. Crossed by a bar, the position's target becomes zero and is traded at the market.
#include <array>
#include <string_view>

#include "state.hpp"

namespace tradewind {

// Both on their sides of the price that the decision was made at. A target of zero has nothing to protect.
bool Engine::State::bracket_sound(const Intent& intent) const {
  const std::int64_t stop = intent.stop_loss.raw, take = intent.take_profit.raw;
  if (stop == 0 && take == 0) return true;
  const bool flat = intent.target.raw == 0 && intent.target_notional.raw == 0;
  if (flat || stop < 0 || take < 0) return false;
  const bool is_long = intent.target.raw > 0 || intent.target_notional.raw > 0;
  const std::int64_t low = is_long ? stop : take, high = is_long ? take : stop;
  const std::int64_t price = intent.reference_price.raw;
  if (low > 0 && high > 0 && low >= high) return false;
  return price <= 0 || ((low == 0 || low < price) && (high == 0 || high > price));
}

// Worst first: a bar that crosses both is taken for the stop-loss. Level by level, so that an exit that was refused is
// tried again with the next bar.
void Engine::State::check_brackets(std::uint32_t symbol, const BarUpdate& bar) {
  if (kill.latched) return;
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    const std::int64_t position = s.book.position;
    const bool leaving = s.exit != ExitReason::kNone && s.exit != ExitReason::kLimitBreach;
    if (position == 0 || leaving) continue;
    const Money stop = s.stop_loss, take = s.take_profit;
    const bool is_long = position > 0;
    const bool stopped = stop.raw > 0 && (is_long ? bar.low <= stop : bar.high >= stop);
    const bool taken = take.raw > 0 && (is_long ? bar.high >= take : bar.low <= take);
    if (stopped || taken) leave(s, symbol, stopped ? ExitReason::kStopLoss : ExitReason::kTakeProfit);
  }
}

// What is held goes, whatever the strategy's own order still does; an intent that is not decided yet decides itself.
void Engine::State::leave(Sub& s, std::uint32_t symbol, ExitReason reason) {
  if (s.phase == SubPhase::kPending) return;
  s.exit = reason;
  s.target = s.interim = 0;
  s.phase = SubPhase::kActive;
  SymbolState& state = symbols[symbol];
  state.dirty = true;
  state.cross_pending = false;
  bool undecided = false;
  for (std::size_t k = 0; k < strategy_count; ++k) undecided = undecided || sub(k, symbol).phase == SubPhase::kPending;
  if (!undecided) want_reroute(state);
  constexpr std::array<std::string_view, 5> said = {"", "a stop-loss was reached; the position is closed",
                                                    "a take-profit was reached; the position is closed", "",
                                                    "the strategy is deleted; its position is closed"};
  alert(Severity::kInfo, config.symbols[symbol].symbol, said[static_cast<std::size_t>(reason)]);
}

// As the intent says, but for type and limit, which its schedule may change from slice to slice.
Placement Engine::State::placement(const Sub& s) const {
  const Intent& intent = intents[s.intent].intent;
  if (s.exit != ExitReason::kNone) return {OrderType::kMarket, plain_life(intent.symbol), {}, {}};
  const Work& w = work(s);
  return {w.order_type, intent.time_in_force, has_limit(w.order_type) ? w.limit_price : Money{}, intent.terms};
}

}  // namespace tradewind
