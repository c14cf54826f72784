// Core: positions that prices, or limits that have become tighter, leave too far beyond a limit are cut back to it:
// orders that only reduce, through the gate like any other. docs/decisions says why there is a tolerance.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "state.hpp"

namespace tradewind {
namespace {

constexpr std::int64_t kMost = 1'000'000 * kRatioScale;  // more than any limit, and none

Int128 magnitude(Int128 value) { return value < 0 ? -value : value; }

// quantity * limit / value, towards zero.
std::int64_t scaled(std::int64_t quantity, Int128 limit, Int128 value) {
  Int128 product = 0;
  if (__builtin_mul_overflow(static_cast<Int128>(quantity), limit, &product))
    return static_cast<std::int64_t>(static_cast<Int128>(quantity) * (limit * kRatioScale / value) / kRatioScale);
  return static_cast<std::int64_t>(product / value);
}

Int128 share(std::int64_t ratio, Int128 amount) { return amount * ratio / kRatioScale; }

}  // namespace

// What a strategy holds once what it closes already is closed. What it means to add may be refused, and counts as
// nothing.
std::int64_t Engine::State::remaining(const Sub& s) const {
  const std::int64_t held = s.book.position;
  if (s.phase == SubPhase::kIdle) return held;
  return std::clamp(s.target, std::min<std::int64_t>(held, 0), std::max<std::int64_t>(held, 0));
}

// What fills after a cut was decided may have taken more than the cut was to take, or have left the account on the
// other side: a cut then buys nothing back and opens nothing.
bool Engine::State::still_cuts(const Sub& s) const {
  const auto index = static_cast<std::size_t>(&s - subs.data());
  const std::int64_t account = symbols[index / strategy_count].book.position;
  return remaining(s) == s.target && account != 0 && (account < 0) == (s.book.position < 0);
}

Int128 Engine::State::kept_value(std::uint32_t symbol) const {
  return magnitude(static_cast<Int128>(symbols[symbol].price.raw) * kept[symbol] / kQuantityScale);
}

// The symbols `in` which are worth, or risk, `value` together where `limit` is allowed: all by the same part.
template <class In>
void Engine::State::shrink(RejectCode code, Int128 limit, Int128 value, In in) {
  if (value <= 0 || value * kRatioScale <= limit * (kRatioScale + config.limits.cut_tolerance)) return;
  for (std::uint32_t i = 0; i < symbol_count; ++i) {
    if (kept[i] == 0 || !in(i)) continue;
    kept[i] = scaled(kept[i], std::max<Int128>(limit, 0), value);
    kept_for[i] = code;
  }
}

template <class In>
void Engine::State::shrink_to(RejectCode code, Int128 limit, In in) {
  Int128 sum = 0;
  for (std::uint32_t i = 0; i < symbol_count; ++i) {
    if (in(i)) sum += kept_value(i);
  }
  shrink(code, limit, sum, in);
}

// Single positions, then sectors and groups that certainly are too large counting what works.
void Engine::State::shrink_by_symbol() {
  const RiskLimits& l = config.limits;
  const Int128 worth = equity().raw;
  const std::int64_t size = ladder * volatility_factor() / kRatioScale;
  const auto far = [&l](Int128 value, Int128 limit) {
    return value * kRatioScale > limit * (kRatioScale + l.cut_tolerance);
  };
  for (std::uint32_t i = 0; i < symbol_count; ++i) {
    const auto alone = [i](std::uint32_t other) { return other == i; };
    if (l.max_position != kNoLimit)
      shrink(RejectCode::kMaxPosition, share(size, share(l.max_position, worth)), kept_value(i), alone);
    if (l.max_position_notional != kNoLimit)
      shrink(RejectCode::kMaxPositionNotional, l.max_position_notional, kept_value(i), alone);
  }
  for (std::uint32_t i = 0; i < symbol_count; ++i) {
    const SymbolConfig& own = config.symbols[i];
    const std::int64_t cap = own.max_sector != kNoLimit ? own.max_sector : l.max_sector;
    const std::size_t sector = symbols[i].sector;
    if (!own.sector.empty() && cap != kNoLimit && far(sector_gross[sector], share(cap, worth)))
      shrink_to(RejectCode::kMaxSector, share(cap, worth),
                [this, sector](std::uint32_t other) { return symbols[other].sector == sector; });
    if (l.max_group != kNoLimit && far(group_gross[i], share(l.max_group, worth)))
      shrink_to(RejectCode::kMaxGroup, share(l.max_group, worth),
                [this, i](std::uint32_t other) { return estimates[other].group == i; });
  }
}

// Value at risk and volatility grow with all positions alike, so all are cut by the same part.
void Engine::State::shrink_by_estimates() {
  const RiskLimits& l = config.limits;
  const Int128 worth = equity().raw;
  if (l.max_value_at_risk == kNoLimit && l.max_volatility == kNoLimit) return;
  if (totals.gross / kCent > kMostCents) return;
  const auto all = [](std::uint32_t) { return true; };
  const Int128 base = (worth / kCent) << kReturnBits;
  const Scenarios::Risk with_orders = scenarios.risk(Estimate{}, 0, 0);
  const auto most = [base](std::int64_t ratio, std::int64_t scale) { return base * std::min(ratio, kMost) / scale; };
  const Int128 value_at_risk = most(l.max_value_at_risk, kRatioScale),
               deviation = most(l.max_volatility, kMicroRootYear);
  const bool risky = with_orders.value_at_risk > value_at_risk, wild = with_orders.deviation > deviation;
  if (!risky && !wild) return;
  const auto measured = [this] {  // what is kept, and nothing that works
    Scenarios own;
    own.count = scenarios.count;
    for (std::uint32_t i = 0; i < symbol_count; ++i) {
      const Int128 signed_value = kept[i] < 0 ? -kept_value(i) : kept_value(i);
      const auto cents = static_cast<std::int64_t>(signed_value / kCent);
      own.add(estimates[i], assumed_move, cents, cents, +1);
    }
    return own.risk(Estimate{}, 0, 0);
  };
  if (risky) shrink(RejectCode::kValueAtRisk, value_at_risk, measured().value_at_risk, all);
  if (wild) shrink(RejectCode::kPortfolioVolatility, deviation, measured().deviation, all);
}

// After the bars of a time, and once limits have changed. From the narrow limits to the wide ones, each on what those
// before it leave.
void Engine::State::cut_positions() {
  const RiskLimits& l = config.limits;
  const Int128 worth = equity().raw;
  if (!cut_due || !account_known || !l.complete() || l.cut_tolerance == kNoLimit || worth <= 0) return;
  cut_due = false;
  for (std::uint32_t i = 0; i < symbol_count; ++i) {
    kept[i] = 0;
    kept_for[i] = RejectCode::kOk;
    if (symbols[i].price.raw <= 0 || symbols[i].overflow) continue;
    for (std::size_t k = 0; k < strategy_count; ++k) kept[i] += remaining(sub(k, i));
  }
  shrink_by_symbol();
  const auto is_long = [this](std::uint32_t i) { return kept[i] > 0; };
  const auto is_short = [this](std::uint32_t i) { return kept[i] < 0; };
  const bool gross = l.max_gross != kNoLimit;
  if (gross && l.max_short_of_gross != kNoLimit)
    shrink_to(RejectCode::kMaxShort, share(l.max_short_of_gross, share(l.max_gross, worth)), is_short);
  if (l.max_net != kNoLimit) {
    Int128 longs = 0, shorts = 0;
    for (std::uint32_t i = 0; i < symbol_count; ++i) (kept[i] > 0 ? longs : shorts) += kept_value(i);
    const Int128 limit = share(l.max_net, worth), net = magnitude(longs - shorts);
    if (net * kRatioScale > limit * (kRatioScale + l.cut_tolerance)) {
      // The side that is too large comes down to what the other one and the limit bear.
      const Int128 side = std::max(longs, shorts), bears = std::min(longs, shorts) + limit;
      for (std::uint32_t i = 0; i < symbol_count; ++i) {
        if (kept[i] == 0 || !(longs > shorts ? is_long(i) : is_short(i))) continue;
        kept[i] = scaled(kept[i], bears, side);
        kept_for[i] = RejectCode::kMaxNet;
      }
    }
  }
  if (gross)
    shrink_to(RejectCode::kMaxGross, share(volatility_factor(), share(l.max_gross, worth)),
              [](std::uint32_t) { return true; });
  shrink_by_estimates();
  for (std::uint32_t i = 0; i < symbol_count; ++i) {
    if (kept_for[i] == RejectCode::kOk) continue;
    std::int64_t held = 0;
    for (std::size_t k = 0; k < strategy_count; ++k) held += remaining(sub(k, i));
    cut(i, held);
  }
}

// Shared by the strategies on the account's side, in proportion to what each holds. An undecided intent that would keep
// more is refused by the limit's name.
void Engine::State::cut(std::uint32_t symbol, std::int64_t held) {
  SymbolState& state = symbols[symbol];
  const std::int64_t step = config.symbols[symbol].quantity_increment.raw;
  const std::int64_t more = std::abs(held) - std::abs(kept[symbol]);
  const std::int64_t quantity = std::min((more + step - 1) / step * step, std::abs(held));
  if (quantity <= 0) return;
  std::array<std::int64_t, kMaxStrategies> weights{}, parts{};
  for (std::size_t k = 0; k < strategy_count; ++k) {
    const std::int64_t own = remaining(sub(k, symbol));
    if ((own < 0) == (held < 0)) weights[k] = own;
  }
  allocate(std::span(weights).first(strategy_count), held < 0 ? -quantity : quantity, step, parts);
  const Int128 limit = kept_value(symbol);
  const Int128 value = magnitude(static_cast<Int128>(state.price.raw) * held / kQuantityScale);
  const Denial denial{kept_for[symbol], Unit::kMoney, static_cast<std::int64_t>(value),
                      static_cast<std::int64_t>(limit), static_cast<std::int64_t>(limit)};
  for (std::size_t k = 0; k < strategy_count; ++k) {
    Sub& s = sub(k, symbol);
    const std::int64_t target = weights[k] - parts[k];
    if (parts[k] == 0 || s.intent == kNil) continue;
    if (s.phase == SubPhase::kPending) reject_sub(s, denial.code, denial.message());
    work(s).scheduled = false;
    s.target = s.interim = target;
    s.phase = SubPhase::kActive;
    s.exit = ExitReason::kLimitBreach;
  }
  state.dirty = true;
  state.cross_pending = false;
  std::array<char, 128> text{};
  const std::string_view name = to_string(denial.code);
  std::snprintf(text.data(), text.size(), "a position beyond its limit (%.*s) is cut back",
                static_cast<int>(name.size()), name.data());
  alert(Severity::kWarning, config.symbols[symbol].symbol, text.data());
}

}  // namespace tradewind
