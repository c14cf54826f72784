// Shell: see risk_gate_timing.hpp.
#include "tradewind/runtime/risk_gate_timing.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "tradewind/engine/risk_gate.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace tradewind {

namespace {

constexpr Time kNow = 1'700'000'000'000'000'000;

// The time-stamp counter, ordered against the work around it; elsewhere the steady clock.
[[nodiscard]] std::uint64_t ticks() {
#if defined(__x86_64__)
  _mm_lfence();
  const std::uint64_t count = __rdtsc();
  _mm_lfence();
  return count;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

[[nodiscard]] double ns_per_tick() {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t first = ticks();
  while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(50)) {
  }
  const std::uint64_t last = ticks();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / static_cast<double>(last - first);
}

[[nodiscard]] std::uint64_t ticks_of_nothing() {
  std::vector<std::uint64_t> pairs(10'001);
  for (std::uint64_t& pair : pairs) {
    const std::uint64_t begin = ticks();
    pair = ticks() - begin;
  }
  std::nth_element(pairs.begin(), pairs.begin() + 5'000, pairs.end());
  return pairs[5'000];
}

// 63 days of returns of up to 2 %, different for each symbol.
[[nodiscard]] Estimate quiet_market(std::int64_t i) {
  RiskEstimate row;
  row.time = kNow;
  row.count = 63;
  for (std::int64_t t = 0; t < row.count; ++t)
    row.returns[static_cast<std::size_t>(t)] = static_cast<std::int32_t>((t * 7'919 + i * 104'729) % 40'001 - 20'000);
  return estimate_of(row);
}

// A healthy account of a million; `i` moves the price and the position so that no two neighbours are alike.
[[nodiscard]] RiskSnapshot healthy(const EngineConfig& config, const std::vector<Estimate>& estimates,
                                   const Scenarios& scenarios, std::int64_t i) {
  RiskSnapshot s;
  s.estimate = &estimates[static_cast<std::size_t>(i) % estimates.size()];
  s.scenarios = &scenarios;
  s.in_group = true;
  s.group_gross = 5'000 * kMoneyScale;
  s.now = kNow + i;
  s.limits = &config.limits;
  s.symbol = &config.symbols[static_cast<std::size_t>(i) % config.symbols.size()];
  s.mode = config.mode;
  s.link_up = s.reconciled = s.account_known = true;
  s.equity = s.day_high = s.week_start = s.month_start = s.peak = Money{1'000'000 * kMoneyScale};
  s.price = Money{(100 + i % 50) * kMoneyScale};
  s.price_time = s.now;
  s.position = Quantity{(i % 3) * kQuantityScale};
  s.gross = s.net_long = s.net_short = 10'000 * kMoneyScale;
  s.leverage = 2 * kRatioScale;
  s.volatility_index = 15 * kMoneyScale;
  return s;
}

[[nodiscard]] RiskRequest small_order(const RiskSnapshot& snapshot, std::int64_t i) {
  RiskRequest request;
  request.quantity = Quantity{(1 + i % 4) * kQuantityScale};
  request.order_type = OrderType::kLimit;
  request.limit_price = snapshot.price;
  request.valid_until = snapshot.now + 1'000'000'000;
  request.champion = request.gates_passed = true;
  request.strategy_gross = 1'000 * kMoneyScale;
  request.capital_budget = Money{kNoLimit};
  request.capital_share = kRatioScale;
  return request;
}

}  // namespace

void time_risk_gate(const EngineConfig& config, std::uint64_t checks, RiskGateTiming& timing) {
  if (config.symbols.empty()) throw ConfigError("engine.symbols: name at least one");
  if (!config.limits.complete()) throw ConfigError("engine.limits: a limit is absent");
  std::vector<RiskSnapshot> snapshots;
  std::vector<RiskRequest> requests;
  std::vector<Estimate> estimates;
  Scenarios scenarios;
  scenarios.count = 63;
  for (std::size_t i = 0; i < config.symbols.size(); ++i) {
    estimates.push_back(quiet_market(static_cast<std::int64_t>(i)));
    scenarios.add(estimates.back(), 0, 0, 100'000 / static_cast<std::int64_t>(config.symbols.size()) * 100, +1);
  }
  for (std::int64_t i = 0; i < 256; ++i) {
    snapshots.push_back(healthy(config, estimates, scenarios, i));
    requests.push_back(small_order(snapshots.back(), i));
  }
  const double scale = ns_per_tick();
  const std::uint64_t nothing = ticks_of_nothing();
  timing.clock_ns = static_cast<double>(nothing) * scale;
  for (std::uint64_t n = 0; n < checks; ++n) {
    const std::size_t i = n % snapshots.size();
    const std::uint64_t begin = ticks();
    bool denied = check_risk(Stage::kIntent, requests[i], snapshots[i]).denied();
    denied = denied || check_risk(Stage::kOrder, requests[i], snapshots[i]).denied();
    const std::uint64_t end = ticks();
    timing.accepted += denied ? 0 : 1;
    const std::uint64_t spent = end - begin > nothing ? end - begin - nothing : 0;
    timing.check.record(std::llround(static_cast<double>(spent) * scale));
  }
}

}  // namespace tradewind
