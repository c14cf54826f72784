// Core: what is looked at without an order: a silent feed, a lost broker, a fast fall, and limits that prices have
// passed.
#include <algorithm>

#include "state.hpp"

namespace tradewind {

Money RecentEquity::high_with(Time time, Money equity) {
  const std::int64_t step = time / kStep;
  Slot& slot = slots[static_cast<std::size_t>(step % kSteps)];
  slot = slot.step == step ? Slot{step, std::max(slot.high, equity)} : Slot{step, equity};
  Money high = equity;
  for (const Slot& s : slots) {
    if (s.step > step - kSteps && s.step <= step) high = std::max(high, s.high);
  }
  return high;
}

// A feed may be silent outside a session, and for as long after the open, or after the link came up, as within one.
void Engine::State::watch_feed_and_link() {
  const RiskLimits& l = config.limits;
  const bool in_session = now >= session.open && now < session.close;
  if (l.feed_silent_after != kNoLimit && link_up && in_session) {
    if (now - std::max({feed_seen, session.open, link_up_at}) > l.feed_silent_after) feed_silent();
  }
  if (l.feed_lost_after != kNoLimit && link_up && in_session && !kill.latched) {
    const Time since = std::max({feed_seen, session.open, link_up_at});
    if (now - since > l.feed_lost_after) trip("the data feed has been silent for too long", "engine", l.kill_flattens);
  }
  if (l.broker_lost_after != kNoLimit && !link_up && link_down_at != 0 && !market_closed() && !kill.latched &&
      now - link_down_at > l.broker_lost_after) {
    trip("the broker's stream has been down for too long", "engine", l.kill_flattens);
  }
}

// Limits of exposure once the bars of a time are in: orders that would go further are refused anyway; that a price has
// gone further without one is told, once.
void Engine::State::recheck() {
  const RiskLimits& l = config.limits;
  const Int128 worth = equity().raw;
  const auto over = [worth](Int128 value, std::int64_t ratio) {
    return ratio != kNoLimit && (value < 0 ? -value : value) * kRatioScale > worth * ratio;
  };
  Int128 largest = 0;
  bool sector = false, group = false;
  for (std::size_t i = 0; i < symbol_count; ++i) {
    const SymbolState& s = symbols[i];
    const SymbolConfig& own = config.symbols[i];
    largest = std::max(largest, s.value < 0 ? -s.value : s.value);
    const std::int64_t cap = own.max_sector != kNoLimit ? own.max_sector : l.max_sector;
    sector = sector || (!own.sector.empty() && over(sector_gross[s.sector], cap));
    group = group || over(group_gross[i], l.max_group);
  }
  const bool grown = over(largest, l.max_position) || largest > l.max_position_notional;
  const Int128 allowed = l.max_gross == kNoLimit ? Int128{0} : worth * l.max_gross / kRatioScale;
  const bool shorts = l.max_gross != kNoLimit && l.max_short_of_gross != kNoLimit &&
                      totals.shorts * kRatioScale > allowed * l.max_short_of_gross;
  RiskRecord figures;
  if (l.max_value_at_risk != kNoLimit || l.max_volatility != kNoLimit) measure(figures);
  struct Rule {
    Breach bit;
    bool broken;
    const char* text;
  };
  const std::array rules = {
      Rule{kBreachPosition, grown, "a position has grown beyond its limit"},
      Rule{kBreachGross, over(totals.gross, l.max_gross), "gross exposure has grown beyond its limit"},
      Rule{kBreachNet, over(totals.value, l.max_net), "net exposure has grown beyond its limit"},
      Rule{kBreachValueAtRisk, figures.value_at_risk > l.max_value_at_risk, "value at risk has grown beyond its limit"},
      Rule{kBreachVolatility, figures.volatility > l.max_volatility, "volatility has grown beyond its limit"},
      Rule{kBreachShort, shorts, "short exposure has grown beyond its limit"},
      Rule{kBreachSector, sector, "a sector's exposure has grown beyond its limit"},
      Rule{kBreachGroup, group, "the exposure of a correlated group has grown beyond its limit"},
  };
  for (const Rule& rule : rules) {
    if (rule.broken && (breaches & rule.bit) == 0) alert(Severity::kWarning, Symbol{}, rule.text);
    breaches = rule.broken ? breaches | rule.bit : breaches & ~static_cast<std::uint32_t>(rule.bit);
  }
}

}  // namespace tradewind
