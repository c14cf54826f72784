// Core: see portfolio_checks.hpp. docs/risk.md says in words what each limits.
#include "portfolio_checks.hpp"

#include <algorithm>

namespace tradewind::portfolio {
namespace {

constexpr Denial kPass{};

const Estimate& estimate_of(const RiskSnapshot& s) {
  static const Estimate absent{};
  return s.estimate == nullptr ? absent : *s.estimate;
}

bool needed(const RiskLimits& l) {
  return l.trade_risk != kNoLimit || l.trade_risk_hard != kNoLimit || l.max_group != kNoLimit ||
         l.max_value_at_risk != kNoLimit || l.max_volatility != kNoLimit;
}

Int128 value_of(std::int64_t quantity, const RiskSnapshot& s) {
  const Int128 amount = quotient<kQuantityScale>(static_cast<Int128>(s.price.raw) * quantity);
  return amount < 0 ? -amount : amount;
}

// The position after the order, or now if that is larger: what a stop protects at its stop, the rest at its adverse
// move.
Int128 at_risk(const RiskRequest& r, const RiskSnapshot& s) {
  const std::int64_t after = s.position.raw + r.quantity.raw;
  const std::int64_t most = std::max(std::abs(s.position.raw), std::abs(after));
  const Estimate& e = estimate_of(s);
  const std::int64_t move = e.known ? e.move : s.assumed_move;
  const std::int64_t open = std::max<std::int64_t>(most - r.stopped, 0);
  return r.stop_risk + quotient<kRatioScale>(((value_of(open, s) * move) >> kReturnBits) * s.limits->adverse_move);
}

std::int64_t clamped(Int128 value) {
  constexpr Int128 top = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp<Int128>(value, -top, top));
}

Denial money(RejectCode code, Int128 value, std::int64_t ratio, const RiskSnapshot& s, Int128 others) {
  if (ratio == kNoLimit) return kPass;
  const Int128 limit = quotient<kRatioScale>(static_cast<Int128>(s.equity.raw) * ratio);
  if (value <= limit) return kPass;
  return {code, Unit::kMoney, clamped(value), clamped(limit), clamped(std::max<Int128>(limit - others, 0))};
}

// Cents at 2^-20.
template <std::uint32_t kDivisor>
std::int64_t scaled(std::int64_t ratio, const RiskSnapshot& s) {
  if (ratio == kNoLimit) return kNoLimit;
  const Int128 cents = static_cast<Int128>(s.equity.raw / kCent) << kReturnBits;
  return clamped(std::max<Int128>(quotient<kDivisor>(cents * ratio), 0));
}
std::int64_t unscaled(std::int64_t risk, const RiskSnapshot& s, std::int64_t multiplier) {
  const Int128 cents = static_cast<Int128>(std::max<std::int64_t>(s.equity.raw / kCent, 1)) << kReturnBits;
  return clamped(static_cast<Int128>(risk) * multiplier / cents);
}

}  // namespace

Denial estimate_present(const RiskRequest&, const RiskSnapshot& s) {
  const bool assumed = s.limits->assumed_volatility != kNoLimit;
  if (estimate_of(s).known || assumed || !needed(*s.limits)) return kPass;
  return {RejectCode::kEstimateAbsent, Unit::kNone, 0, 0, 0};
}

Denial estimate_fresh(const RiskRequest&, const RiskSnapshot& s) {
  const Estimate& e = estimate_of(s);
  const std::int64_t limit = s.limits->max_estimate_age;
  const std::int64_t age = s.now - e.time;
  if (!e.known || limit == kNoLimit || age <= limit || !needed(*s.limits)) return kPass;
  return {RejectCode::kEstimateStale, Unit::kNanoseconds, age, limit, limit};
}

Denial trade_risk(const RiskRequest& r, const RiskSnapshot& s) {
  return money(RejectCode::kTradeRisk, at_risk(r, s), s.limits->trade_risk, s, 0);
}

// What the position has lost already counts, so that a losing position is not added to without end.
Denial trade_risk_hard(const RiskRequest& r, const RiskSnapshot& s) {
  const Int128 lost = std::max<std::int64_t>(s.open_loss.raw, 0);
  return money(RejectCode::kTradeRiskHard, at_risk(r, s) + lost, s.limits->trade_risk_hard, s, lost);
}

Denial correlated_group(const RiskRequest& r, const RiskSnapshot& s) {
  if (!s.in_group) return kPass;
  const std::int64_t after = s.position.raw + r.quantity.raw;
  const Int128 own = value_of(std::max(std::abs(s.position.raw), std::abs(after)), s);
  return money(RejectCode::kMaxGroup, s.group_gross + own, s.limits->max_group, s, s.group_gross);
}

// An order that makes neither figure worse passes whatever they are: a hedge is no danger.
Denial portfolio_risk(const RiskRequest& r, const RiskSnapshot& s) {
  const RiskLimits& l = *s.limits;
  if (l.max_value_at_risk == kNoLimit && l.max_volatility == kNoLimit) return kPass;
  if (s.scenarios == nullptr) return {RejectCode::kEstimateAbsent, Unit::kNone, 0, 0, 0};
  const Int128 size = quotient<kQuantityScale>(static_cast<Int128>(s.price.raw) * r.quantity.raw);
  const Int128 gross = s.gross + s.gross_own + (size < 0 ? -size : size);
  if (gross > static_cast<Int128>(kMostCents) * kCent) return {RejectCode::kOverflow, Unit::kNone, 0, 0, 0};
  const auto delta = static_cast<std::int64_t>(quotient<kCent>(size));
  const Estimate& e = estimate_of(s);
  const std::int64_t var_limit = scaled<kRatioScale>(l.max_value_at_risk, s);
  const std::int64_t day_limit = scaled<kMicroRootYear>(l.max_volatility, s);
  if (s.scenarios->within(e, s.assumed_move, delta, var_limit, day_limit)) return kPass;
  const auto then = s.scenarios->risk(e, s.assumed_move, delta);
  const auto now = s.scenarios->risk(e, s.assumed_move, 0);
  if (then.value_at_risk > var_limit && then.value_at_risk > now.value_at_risk) {
    return {RejectCode::kValueAtRisk, Unit::kRatio, unscaled(then.value_at_risk, s, kRatioScale), l.max_value_at_risk,
            l.max_value_at_risk};
  }
  if (then.deviation > day_limit && then.deviation > now.deviation) {
    return {RejectCode::kPortfolioVolatility, Unit::kRatio, unscaled(then.deviation, s, kMicroRootYear),
            l.max_volatility, l.max_volatility};
  }
  return kPass;
}

}  // namespace tradewind::portfolio
