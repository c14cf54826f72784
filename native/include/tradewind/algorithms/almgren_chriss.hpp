// Core: implementation shortfall: R. Almgren, N. Chriss, "Optimal execution of portfolio transactions", Journal of Risk
// 3(2), 2000, section 2.2. Whole numbers throughout: the schedule is the same on every machine.
#pragma once

#include <cstdint>
#include <optional>

#include "tradewind/algorithms/share.hpp"

namespace tradewind {

// 1e-15: the scale of (kappa-tilde tau) squared.
inline constexpr std::int64_t kRiskScale = 1'000'000'000'000'000;

struct ImpactModel {
  double risk_aversion = 0;     // lambda, per unit of currency
  double daily_volatility = 0;  // sigma, as a share of the price, per square root of a day
  double temporary = 0;         // eta: share of the price paid per unit of currency traded per day
  double permanent = 0;         // gamma: share of the price by which one unit of currency traded moves it for good
};

// kappa-tilde squared = lambda sigma^2 / (eta - gamma tau / 2), the paper's equation (16), in 1e-6 per day squared;
// `interval` (tau) in ns. Quantities are measured in currency, so that the price cancels. Empty when a figure is
// negative or not finite, when temporary impact does not exceed gamma tau / 2, or when the result is above
// kMaxRiskRate.
[[nodiscard]] std::optional<std::int64_t> almgren_chriss_rate(const ImpactModel& model, std::int64_t interval);

// (kappa-tilde tau) squared at 1e-15, from the rate and an interval of at most a day.
[[nodiscard]] Int128 scaled_risk(std::int64_t rate, std::int64_t interval);

// What the next of `slices_left` slices takes of what is left. From the difference equation (16)
//   x[j-1] - 2 x[j] + x[j+1] = (kappa-tilde tau)^2 x[j],  x[N] = 0
// the ratio r(m) = x[N-m+1] / x[N-m] of neighbouring holdings obeys r(1) = 0, r(m+1) = 1 / (2 + (kappa-tilde tau)^2 -
// r(m)), and the share is 1 - r(m). This is the trade list (18) without its exponentials. The optimum is consistent in
// time: planned anew from what is left, with unchanged parameters, the trajectory is the one of equation (17).
[[nodiscard]] Share shortfall_share(Int128 risk, std::int64_t slices_left);

}  // namespace tradewind
