// Core: the optimum of Almgren and Chriss in a market that changes.
#pragma once

#include "tradewind/algorithms/almgren_chriss.hpp"
#include "tradewind/algorithms/market_tape.hpp"

namespace tradewind {

// (kappa-tilde tau)^2 for the market as it is now. kappa-tilde^2 = lambda sigma^2 / eta: the variance ratio scales
// sigma^2, and eta falls as volume rises (impact in proportion to the share of the market's volume). So a livelier
// market is traded faster.
[[nodiscard]] constexpr Int128 adaptive_risk(Int128 risk, std::int64_t variance_ratio, std::int64_t volume_ratio) {
  return risk * variance_ratio / kPpm * volume_ratio / kPpm;
}

}  // namespace tradewind
