// Core: the checks of the risk gate. One function each: nothing, or a denial with limit, value and what would have
// passed.
#include "tradewind/engine/risk_gate.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "portfolio_checks.hpp"
#include "session_checks.hpp"
#include "tradewind/engine/order_terms.hpp"

namespace tradewind {
namespace {

constexpr std::int64_t kMinute = 60LL * 1'000'000'000;
constexpr Denial kPass{};

Denial deny(RejectCode code) { return {code, Unit::kNone, 0, 0, 0}; }

std::int64_t clamped(Int128 value) {
  constexpr Int128 top = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp<Int128>(value, -top, top));
}

Int128 share(std::int64_t ratio, Int128 amount) { return quotient<kRatioScale>(amount * ratio); }

// Denies when `value` is above the ratio of `base`; all three figures in money.
Denial exposure(RejectCode code, Int128 value, std::int64_t ratio, Int128 base, Int128 others) {
  if (ratio == kNoLimit) return kPass;
  const Int128 limit = share(ratio, base);
  if (value <= limit) return kPass;
  return {code, Unit::kMoney, clamped(value), clamped(limit), clamped(std::max<Int128>(limit - others, 0))};
}

Denial loss(RejectCode code, Money from, Money equity, std::int64_t limit) {
  if (limit == kNoLimit || from.raw <= 0 || equity.raw >= from.raw) return kPass;
  const Int128 lost = static_cast<Int128>(from.raw) - equity.raw;
  const auto ratio = static_cast<std::int64_t>(lost * kRatioScale / from.raw);
  if (lost * kRatioScale < static_cast<Int128>(limit) * from.raw) return kPass;
  return {code, Unit::kRatio, ratio, limit, limit - 1};
}

constexpr Int128 kBeyond = Int128{1} << 63;

// |price * quantity| at 1e-8; what does not fit in 64 bits is kBeyond, and quantity_fits refuses it.
Int128 worth(Money price, std::int64_t quantity) {
  const auto amount = notional(price, Quantity{quantity});
  if (!amount) return kBeyond;
  return amount->raw < 0 ? -static_cast<Int128>(amount->raw) : static_cast<Int128>(amount->raw);
}

// Value of a quantity at the last price.
Int128 value_of(std::int64_t quantity, const RiskSnapshot& s) { return worth(s.price, quantity); }

std::int64_t after(const RiskRequest& r, const RiskSnapshot& s) { return s.position.raw + r.quantity.raw; }
std::int64_t largest(const RiskRequest& r, const RiskSnapshot& s) {
  return std::max(std::abs(s.position.raw), std::abs(after(r, s)));
}

Denial kill_switch(const RiskRequest&, const RiskSnapshot& s) {
  return s.kill_switch ? deny(RejectCode::kKillSwitch) : kPass;
}
Denial shutdown(const RiskRequest&, const RiskSnapshot& s) { return s.shutdown ? deny(RejectCode::kShutdown) : kPass; }
Denial lease(const RiskRequest&, const RiskSnapshot& s) { return s.fenced ? deny(RejectCode::kLeaseLost) : kPass; }
Denial paused(const RiskRequest&, const RiskSnapshot& s) { return s.paused ? deny(RejectCode::kPaused) : kPass; }
// The dependency's breaker: docs/risk.md says when it opens and closes.
Denial broker_answers(const RiskRequest&, const RiskSnapshot& s) {
  return s.broker_rest == BreakerState::kClosed ? kPass : deny(RejectCode::kBrokerFailing);
}
Denial feed_alive(const RiskRequest&, const RiskSnapshot& s) {
  return s.market_data == BreakerState::kClosed ? kPass : deny(RejectCode::kFeedSilent);
}
Denial link(const RiskRequest&, const RiskSnapshot& s) { return s.link_up ? kPass : deny(RejectCode::kLinkDown); }
Denial reconciled(const RiskRequest&, const RiskSnapshot& s) {
  return s.reconciled ? kPass : deny(RejectCode::kNotReconciled);
}
// What reduces the position in both books may pass.
Denial position_mismatch(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t held = s.broker_position.raw;
  const bool reduces =
      r.reduce_only && held != 0 && (held < 0) != (r.quantity.raw < 0) && std::abs(r.quantity.raw) <= std::abs(held);
  return s.mismatch && !reduces ? deny(RejectCode::kPositionMismatch) : kPass;
}
Denial limits_present(const RiskRequest&, const RiskSnapshot& s) {
  return s.limits->complete() ? kPass : deny(RejectCode::kLimitAbsent);
}
Denial account_present(const RiskRequest&, const RiskSnapshot& s) {
  return s.account_known && s.equity.raw > 0 ? kPass : deny(RejectCode::kAccountAbsent);
}
Denial tradable(const RiskRequest&, const RiskSnapshot& s) {
  return s.symbol->tradable ? kPass : deny(RejectCode::kNotTradable);
}
Denial restricted(const RiskRequest&, const RiskSnapshot& s) {
  return s.symbol->restricted ? deny(RejectCode::kRestricted) : kPass;
}
Denial price_present(const RiskRequest&, const RiskSnapshot& s) {
  return s.price.raw > 0 ? kPass : deny(RejectCode::kPriceAbsent);
}

Denial price_fresh(const RiskRequest&, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_price_age;
  const std::int64_t age = s.now - s.price_time;
  if (limit == kNoLimit || age <= limit) return kPass;
  return {RejectCode::kPriceStale, Unit::kNanoseconds, age, limit, limit};
}

Denial in_time(const RiskRequest& r, const RiskSnapshot& s) {
  if (s.now <= r.valid_until) return kPass;
  return {RejectCode::kLateIntent, Unit::kNanoseconds, s.now, r.valid_until, r.valid_until};
}

Denial champion(const RiskRequest& r, const RiskSnapshot& s) {
  return s.mode != Mode::kLive || (r.champion && r.gates_passed) ? kPass : deny(RejectCode::kModelNotChampion);
}

Denial limit_price(const RiskRequest& r, const RiskSnapshot& s) {
  if (!has_limit(r.order_type)) return kPass;
  if (r.limit_price.raw <= 0) return deny(RejectCode::kLimitPriceAbsent);
  const std::int64_t step = s.symbol->price_increment.raw;
  if (r.limit_price.raw % step == 0) return kPass;
  return {RejectCode::kLimitPriceIncrement, Unit::kMoney, r.limit_price.raw, step, r.limit_price.raw / step * step};
}

Denial price_collar(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->price_collar;
  const Money own = own_price(r.order_type, r.limit_price, r.terms);
  if (own.raw == 0 || limit == kNoLimit) return kPass;
  const Int128 away = static_cast<Int128>(own.raw) - s.price.raw;
  const Int128 size = away < 0 ? -away : away;
  if (size * kRatioScale <= static_cast<Int128>(limit) * s.price.raw) return kPass;
  return {RejectCode::kPriceCollar, Unit::kRatio, clamped(size * kRatioScale / s.price.raw), limit, limit};
}

// At which an order is looked at: its own price or the last one, whichever is higher. A trailing stop has none of its
// own.
Money worst_price(const RiskRequest& r, const RiskSnapshot& s) {
  return std::max(own_price(r.order_type, r.limit_price, r.terms), s.price);
}

Denial fraction(const RiskRequest& r, const RiskSnapshot& s) {
  if (r.quantity.raw % kQuantityScale == 0 || is_crypto(s.symbol->symbol)) return kPass;
  const bool fits = r.time_in_force == TimeInForce::kDay && r.order_type != OrderType::kTrailingStop;
  return fits && after(r, s) >= 0 ? kPass : deny(RejectCode::kFraction);
}

Denial quantity_fits(const RiskRequest& r, const RiskSnapshot& s) {
  constexpr Int128 top = std::numeric_limits<std::int64_t>::max();
  const bool fits = !s.overflow && worth(worst_price(r, s), r.quantity.raw) <= top && value_of(largest(r, s), s) <= top;
  return fits ? kPass : deny(RejectCode::kOverflow);
}

Denial max_order_notional(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_order_notional;
  const Int128 value = worth(worst_price(r, s), r.quantity.raw);
  return value <= limit ? kPass : Denial{RejectCode::kMaxOrderNotional, Unit::kMoney, clamped(value), limit, limit};
}

Denial order_rate(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_orders_per_minute;
  if (limit == kNoLimit || r.origin == Origin::kResend) return kPass;
  if (limit == 0) return {RejectCode::kOrderRate, Unit::kCount, 1, 0, 0};
  // Generic cell rate algorithm: a burst of `limit` orders, then one each minute / limit.
  const std::int64_t ahead = s.rate_arrival - s.now;
  if (ahead <= kMinute - kMinute / limit) return kPass;
  return {RejectCode::kOrderRate, Unit::kCount, limit + 1, limit, limit};
}

Denial trades_per_day(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_trades_per_day;
  const bool counted = r.origin == Origin::kResend || r.origin == Origin::kReplace;
  if (counted || s.trades_today < limit) return kPass;
  return {RejectCode::kTradesPerDay, Unit::kCount, s.trades_today + 1, limit, limit};
}

Denial turnover(const RiskRequest& r, const RiskSnapshot& s) {
  if (r.origin == Origin::kResend) return kPass;
  return exposure(RejectCode::kTurnover, s.turnover_today + value_of(r.quantity.raw, s), s.limits->max_turnover,
                  s.equity.raw, s.turnover_today);
}

Denial short_allowed(const RiskRequest& r, const RiskSnapshot& s) {
  if (after(r, s) >= 0 || (s.limits->allow_short && s.symbol->shortable)) return kPass;
  return {RejectCode::kShortNotAllowed, Unit::kQuantity, after(r, s), 0, -std::max<std::int64_t>(s.position.raw, 0)};
}

Denial buying_power(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t buffer = s.limits->market_order_buffer;
  const Int128 opens = value_of(largest(r, s), s) - value_of(s.position.raw, s);
  Int128 need = opens;
  need = need * worst_price(r, s).raw / s.price.raw;
  // Without a limit it fills at whatever price there is.
  if (!has_limit(r.order_type) && buffer != kNoLimit) need += share(buffer, need);
  const Int128 power = share(s.leverage, s.equity.raw) - s.gross - s.gross_own;
  if (need <= power) return kPass;
  return {RejectCode::kBuyingPower, Unit::kMoney, clamped(need), clamped(power), clamped(std::max<Int128>(power, 0))};
}

Denial max_position(const RiskRequest& r, const RiskSnapshot& s) {
  if (s.limits->max_position == kNoLimit) return kPass;
  const auto ratio = static_cast<std::int64_t>(share(s.size_factor, s.limits->max_position));
  return exposure(RejectCode::kMaxPosition, value_of(largest(r, s), s), ratio, s.equity.raw, 0);
}

Denial max_position_notional(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_position_notional;
  const Int128 value = value_of(largest(r, s), s);
  if (value <= limit) return kPass;
  return {RejectCode::kMaxPositionNotional, Unit::kMoney, clamped(value), limit, limit};
}

Denial max_positions(const RiskRequest&, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_positions;
  return s.positions + 1 <= limit ? kPass
                                  : Denial{RejectCode::kMaxPositions, Unit::kCount, s.positions + 1, limit, limit};
}

Denial max_gross(const RiskRequest& r, const RiskSnapshot& s) {
  if (s.limits->max_gross == kNoLimit) return kPass;
  const auto ratio = static_cast<std::int64_t>(share(s.volatility_factor, s.limits->max_gross));
  return exposure(RejectCode::kMaxGross, s.gross + value_of(largest(r, s), s), ratio, s.equity.raw, s.gross);
}

Denial max_net(const RiskRequest& r, const RiskSnapshot& s) {
  const Int128 highest = s.net_long + (after(r, s) > 0 ? value_of(after(r, s), s) : 0);
  const Int128 lowest = s.net_short - (after(r, s) < 0 ? value_of(after(r, s), s) : 0);
  const bool buys = r.quantity.raw > 0;
  return exposure(RejectCode::kMaxNet, buys ? highest : -lowest, s.limits->max_net, s.equity.raw,
                  buys ? s.net_long : -s.net_short);
}

Denial max_short(const RiskRequest& r, const RiskSnapshot& s) {
  if (after(r, s) >= 0 || s.limits->max_gross == kNoLimit) return kPass;
  return exposure(RejectCode::kMaxShort, s.shorts + value_of(after(r, s), s), s.limits->max_short_of_gross,
                  share(s.limits->max_gross, s.equity.raw), s.shorts);
}

Denial max_sector(const RiskRequest& r, const RiskSnapshot& s) {
  if (s.symbol->sector.empty()) return kPass;
  const bool own = s.symbol->max_sector != kNoLimit;
  return exposure(RejectCode::kMaxSector, s.sector_gross + value_of(largest(r, s), s),
                  own ? s.symbol->max_sector : s.limits->max_sector, s.equity.raw, s.sector_gross);
}

Denial capital_budget(const RiskRequest& r, const RiskSnapshot& s) {
  // Of a target that does not add to what the strategy holds there is nothing to refuse.
  if (r.strategy_gross <= r.strategy_gross_now) return kPass;
  const Int128 of_equity =
      r.capital_share == kNoLimit ? static_cast<Int128>(kNoLimit) : share(r.capital_share, s.equity.raw);
  const Int128 limit = std::min<Int128>(r.capital_budget.raw, of_equity);
  if (r.strategy_gross <= limit) return kPass;
  return {RejectCode::kCapitalBudget, Unit::kMoney, r.strategy_gross, clamped(limit), clamped(limit)};
}

Denial daily_loss(const RiskRequest&, const RiskSnapshot& s) {
  return loss(RejectCode::kDailyLoss, s.day_high, s.equity, s.limits->daily_loss);
}
Denial weekly_loss(const RiskRequest&, const RiskSnapshot& s) {
  return loss(RejectCode::kWeeklyLoss, s.week_start, s.equity, s.limits->weekly_loss);
}
Denial monthly_loss(const RiskRequest&, const RiskSnapshot& s) {
  return loss(RejectCode::kMonthlyLoss, s.month_start, s.equity, s.limits->monthly_loss);
}
Denial drawdown(const RiskRequest&, const RiskSnapshot& s) {
  return loss(RejectCode::kDrawdown, s.peak, s.equity, s.limits->drawdown_stop);
}

Denial consecutive_losses(const RiskRequest&, const RiskSnapshot& s) {
  const std::int64_t limit = s.limits->max_consecutive_losses;
  return s.loss_pause ? Denial{RejectCode::kConsecutiveLosses, Unit::kCount, s.consecutive_losses, limit, limit - 1}
                      : kPass;
}

Denial volatility(const RiskRequest&, const RiskSnapshot& s) {
  if (s.volatility_index == 0) return s.limits->volatility_required ? deny(RejectCode::kVolatilityAbsent) : kPass;
  const std::int64_t limit = s.limits->volatility_halt;
  if (s.volatility_index < limit) return kPass;
  return {RejectCode::kVolatilityHalt, Unit::kPoints, s.volatility_index, limit, limit - 1};
}

// clang-format off
constexpr CheckScope kAlways     {.intent = true,  .order = true,  .reduce_only = true,  .kill_switch = true};
constexpr CheckScope kNotForKill {.intent = true,  .order = true,  .reduce_only = true,  .kill_switch = false};
constexpr CheckScope kOfIntent   {.intent = true,  .order = false, .reduce_only = true,  .kill_switch = false};
constexpr CheckScope kOfOrder    {.intent = false, .order = true,  .reduce_only = true,  .kill_switch = false};
constexpr CheckScope kOpening    {.intent = false, .order = true,  .reduce_only = false, .kill_switch = false};

// Closing orders of the kill switch still need a reconciled account (by REST alone if the stream is down) and a known symbol; what they skip would keep a
// position open in exactly the situation that the switch is for (a dead feed has no fresh price).
constexpr std::array kChecks = {
    RiskCheck{"kill_switch", kill_switch, kNotForKill},
    RiskCheck{"shutdown", shutdown, kAlways},
    RiskCheck{"lease", lease, kAlways},
    RiskCheck{"in_time", in_time, kOfIntent},
    RiskCheck{"champion", champion, kOfIntent},
    RiskCheck{"link", link, kNotForKill},
    RiskCheck{"reconciled", reconciled, kAlways},
    RiskCheck{"position_mismatch", position_mismatch, kOfOrder},
    RiskCheck{"limits_present", limits_present, kNotForKill},
    RiskCheck{"account_present", account_present, kNotForKill},
    RiskCheck{"tradable", tradable, kNotForKill},
    RiskCheck{"restricted", restricted, kNotForKill},
    RiskCheck{"price_present", price_present, kNotForKill},
    RiskCheck{"price_fresh", price_fresh, kNotForKill},
    RiskCheck{"extended_hours", session::extended_hours, kNotForKill},
    RiskCheck{"in_session", session::in_session, kNotForKill},
    RiskCheck{"limit_price", limit_price, kNotForKill},
    RiskCheck{"capital_budget", capital_budget, kOfIntent},
    RiskCheck{"paused", paused, kOpening},
    RiskCheck{"broker_answers", broker_answers, kOpening},
    RiskCheck{"feed_alive", feed_alive, kOpening},
    RiskCheck{"fraction", fraction, kOfOrder},
    RiskCheck{"quantity_fits", quantity_fits, kOfOrder},
    RiskCheck{"price_collar", price_collar, kOfOrder},
    RiskCheck{"max_order_notional", max_order_notional, kOfOrder},
    RiskCheck{"order_rate", order_rate, kOfOrder},
    RiskCheck{"trades_per_day", trades_per_day, kOfOrder},
    RiskCheck{"turnover", turnover, kOfOrder},
    RiskCheck{"drawdown", drawdown, kOpening},
    RiskCheck{"daily_loss", daily_loss, kOpening},
    RiskCheck{"weekly_loss", weekly_loss, kOpening},
    RiskCheck{"monthly_loss", monthly_loss, kOpening},
    RiskCheck{"consecutive_losses", consecutive_losses, kOpening},
    RiskCheck{"volatility", volatility, kOpening},
    RiskCheck{"short_allowed", short_allowed, kOpening},
    RiskCheck{"max_positions", max_positions, kOpening},
    RiskCheck{"max_position", max_position, kOpening},
    RiskCheck{"max_position_notional", max_position_notional, kOpening},
    RiskCheck{"max_gross", max_gross, kOpening},
    RiskCheck{"max_net", max_net, kOpening},
    RiskCheck{"max_short", max_short, kOpening},
    RiskCheck{"max_sector", max_sector, kOpening},
    RiskCheck{"buying_power", buying_power, kOpening},
    RiskCheck{"estimate_present", portfolio::estimate_present, kOpening},
    RiskCheck{"estimate_fresh", portfolio::estimate_fresh, kOpening},
    RiskCheck{"trade_risk_hard", portfolio::trade_risk_hard, kOpening},
    RiskCheck{"trade_risk", portfolio::trade_risk, kOpening},
    RiskCheck{"correlated_group", portfolio::correlated_group, kOpening},
    RiskCheck{"portfolio_risk", portfolio::portfolio_risk, kOpening},
};
// clang-format on

bool applies(const CheckScope& scope, Stage stage, const RiskRequest& request) {
  if (stage == Stage::kIntent) return scope.intent;
  if (!scope.order) return false;
  if (request.origin == Origin::kKillSwitch && request.reduce_only) return scope.kill_switch;
  return scope.reduce_only || !request.reduce_only;
}

}  // namespace

bool RiskLimits::complete() const {
  const std::array values = {max_order_notional,
                             price_collar,
                             max_price_age,
                             max_orders_per_minute,
                             max_trades_per_day,
                             max_position,
                             max_positions,
                             max_gross,
                             max_net,
                             max_short_of_gross,
                             max_sector,
                             daily_loss,
                             weekly_loss,
                             monthly_loss,
                             drawdown_reduce,
                             drawdown_reduce_factor,
                             drawdown_halve,
                             drawdown_halve_factor,
                             drawdown_stop,
                             max_consecutive_losses,
                             volatility_reduce,
                             volatility_factor,
                             volatility_halt,
                             market_order_buffer,
                             max_position_notional,
                             max_turnover,
                             trade_risk,
                             trade_risk_hard,
                             adverse_move,
                             assumed_volatility,
                             max_estimate_age,
                             max_group,
                             max_value_at_risk,
                             max_volatility,
                             skip_first,
                             skip_last,
                             reentry_step,
                             rapid_decline,
                             feed_lost_after,
                             broker_lost_after,
                             cut_tolerance,
                             gap_move,
                             extended_before,
                             extended_after,
                             breaker_failures,
                             breaker_pause,
                             feed_silent_after};
  return std::none_of(values.begin(), values.end(), [](std::int64_t value) { return value < 0; });
}

std::span<const RiskCheck> risk_checks() { return kChecks; }

Denial check_risk(Stage stage, const RiskRequest& request, const RiskSnapshot& snapshot) {
  for (const RiskCheck& check : kChecks) {
    if (!applies(check.scope, stage, request)) continue;
    const Denial denial = check.check(request, snapshot);
    if (denial.denied()) return denial;
  }
  return kPass;
}

Time rate_after_send(Time arrival, Time now, std::int64_t per_minute) {
  if (per_minute == kNoLimit || per_minute <= 0) return arrival;
  return std::max(arrival, now) + kMinute / per_minute;
}

}  // namespace tradewind
