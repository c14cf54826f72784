// Core: see almgren_chriss.hpp.
#include "tradewind/algorithms/almgren_chriss.hpp"

#include <cmath>

#include "tradewind/algorithms/plan.hpp"

namespace tradewind {

// Plain arithmetic of doubles, no library function: the same bits everywhere.
std::optional<std::int64_t> almgren_chriss_rate(const ImpactModel& model, std::int64_t interval) {
  const double tau = static_cast<double>(interval) / static_cast<double>(kDayNs);
  const double eta = model.temporary - 0.5 * model.permanent * tau;
  const bool sound = model.risk_aversion >= 0 && model.daily_volatility >= 0 && model.permanent >= 0 && interval > 0;
  if (!sound || !(eta > 0)) return std::nullopt;
  const double rate = model.risk_aversion * model.daily_volatility * model.daily_volatility / eta * 1e6;
  if (!(rate <= static_cast<double>(kMaxRiskRate))) return std::nullopt;
  return static_cast<std::int64_t>(rate + 0.5);  // NOLINT(bugprone-incorrect-roundings): never negative
}

Int128 scaled_risk(std::int64_t rate, std::int64_t interval) {
  constexpr std::int64_t kScale = 1'000'000'000'000;
  const Int128 tau = static_cast<Int128>(interval) * kScale / kDayNs;  // days at 1e-12
  return rate * tau * tau / 1'000'000'000'000'000;                     // 1e-30 to 1e-15
}

Share shortfall_share(Int128 risk, std::int64_t slices_left) {
  const Int128 both = 2 * Int128{kRiskScale} + risk;
  Int128 ratio = 0;
  for (std::int64_t m = 1; m < slices_left; ++m) {
    ratio = static_cast<Int128>(kRiskScale) * kRiskScale / (both - ratio);
  }
  return {kRiskScale - static_cast<std::int64_t>(ratio), kRiskScale};
}

}  // namespace tradewind
