// Core: the slow loop's estimates in the engine: taken over as a whole, then carried along with every exposure.
#include <algorithm>

#include "state.hpp"

namespace tradewind {

// Rows are staged until the last of them has come, so that no order ever meets half a set.
void Engine::State::on_estimate(const RiskEstimate& estimate) {
  if (estimate.first) std::fill(staged.begin(), staged.end(), Estimate{});
  const std::uint32_t symbol = symbol_index.find(estimate.symbol);
  if (symbol != kNil) {
    staged[symbol] = estimate_of(estimate);
    staged[symbol].group = symbol_index.find(estimate.group);
  }
  if (!estimate.last) return;
  // Days line up only among rows of one length and time: another row's symbol has no estimate.
  for (Estimate& row : staged) row.known = row.known && row.count == estimate.count && row.time == estimate.time;
  std::swap(estimates, staged);
  scenarios = Scenarios{};
  scenarios.count = estimate.count;
  estimate_time = estimate.time;
  cut_due = true;
  std::fill(group_gross.begin(), group_gross.end(), Int128{0});
  for (std::uint32_t s = 0; s < symbol_count; ++s) carry_exposure(s, +1);
}

// Puts the symbol's exposure into the sums that go by estimates (+1), or takes it out of them (-1).
void Engine::State::carry_exposure(std::uint32_t symbol, int sign) {
  const SymbolState& s = symbols[symbol];
  const Estimate& estimate = estimates[symbol];
  scenarios.add(estimate, assumed_move, s.low_cents, s.high_cents, sign);
  if (estimate.group != kNil) group_gross[estimate.group] += sign * s.gross;
}

// What the position has lost at the last price; negative when it has gained.
Money Engine::State::open_loss(std::uint32_t symbol) const {
  std::int64_t loss = 0;
  const SymbolState& s = symbols[symbol];
  const auto value = static_cast<std::int64_t>(s.value);
  return __builtin_sub_overflow(s.book.cost, value, &loss) ? Money{kNoLimit} : Money{loss};
}

void Engine::State::measure(RiskRecord& record) const {
  record.estimate_time = estimate_time;
  const std::int64_t cents = account_known ? equity().raw / kCent : 0;
  if (cents <= 0 || totals.gross / kCent > kMostCents) return;
  const Scenarios::Risk risk = scenarios.risk(Estimate{}, 0, 0);
  const Int128 base = static_cast<Int128>(cents) << kReturnBits;
  constexpr Int128 top = std::numeric_limits<std::int64_t>::max();
  record.value_at_risk =
      static_cast<std::int64_t>(std::min<Int128>(static_cast<Int128>(risk.value_at_risk) * kRatioScale / base, top));
  record.volatility =
      static_cast<std::int64_t>(std::min<Int128>(static_cast<Int128>(risk.deviation) * kMicroRootYear / base, top));
}

}  // namespace tradewind
