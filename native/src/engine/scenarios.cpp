// Core: see scenarios.hpp. Historical simulation and the normal approximation of value at risk: P. Jorion, Value at
// Risk, 3rd ed., 2007, chapters 5 and 10; deviations are taken about zero (RiskMetrics Technical Document, 1996, 5.2).
#include "tradewind/engine/scenarios.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "vector_clones.hpp"

namespace tradewind {
namespace {

constexpr std::size_t kRank = 20;  // one day in twenty may be worse

std::uint64_t wrap(std::int64_t value) { return static_cast<std::uint64_t>(value); }
std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::int64_t product(std::int64_t a, std::int64_t b) { return signed_of(wrap(a) * wrap(b)); }
std::int64_t sum(std::int64_t a, std::int64_t b) { return signed_of(wrap(a) + wrap(b)); }
std::int64_t difference(std::int64_t a, std::int64_t b) { return signed_of(wrap(a) - wrap(b)); }

// What `delta` cents gain in scenario `t`, at worst and at best.
struct Gain {
  std::int64_t worst, best;
};
Gain gain(const Estimate& e, std::int64_t against, std::int64_t delta, std::size_t t) {
  if (!e.known) return {-against, against};
  const std::int64_t g = product(delta, e.returns[t]);
  return {g, g};
}
std::int64_t against(const Estimate& e, std::int64_t assumed_move, std::int64_t delta) {
  return e.known ? 0 : product(delta < 0 ? -delta : delta, assumed_move);
}
// The smallest of `gains` once `rank` still smaller ones are left out. Few are: they are kept in order.
std::int64_t worst_but(std::size_t rank, std::span<const std::int64_t> gains) {
  std::array<std::int64_t, kScenarios / kRank + 1> least{};
  least.fill(std::numeric_limits<std::int64_t>::max());
  for (const std::int64_t gain : gains) {
    if (gain >= least[rank]) continue;
    std::size_t place = rank;
    for (; place > 0 && least[place - 1] > gain; --place) least[place] = least[place - 1];
    least[place] = gain;
  }
  return least[rank];
}
std::size_t used(std::uint8_t count) { return std::max<std::size_t>(count, 1); }

}  // namespace

TRADEWIND_VECTOR_CLONES
void Scenarios::add(const Estimate& estimate, std::int64_t assumed_move, std::int64_t low, std::int64_t high,
                    int sign) {
  if (low == 0 && high == 0) return;
  if (!estimate.known) {
    const std::int64_t most = std::max(low < 0 ? -low : low, high < 0 ? -high : high);
    const std::int64_t move = product(most * sign, assumed_move);
    for (std::size_t t = 0; t < kScenarios; ++t) {
      worst[t] = difference(worst[t], move);
      best[t] = sum(best[t], move);
    }
    return;
  }
  for (std::size_t t = 0; t < kScenarios; ++t) {
    const std::int64_t r = std::int64_t{estimate.returns[t]} * sign;
    const bool up = estimate.returns[t] >= 0;
    worst[t] = sum(worst[t], product(up ? low : high, r));
    best[t] = sum(best[t], product(up ? high : low, r));
  }
}

Scenarios::Risk Scenarios::risk(const Estimate& estimate, std::int64_t assumed_move, std::int64_t delta) const {
  const std::int64_t adverse = against(estimate, assumed_move, delta);
  const std::size_t n = used(count);
  std::array<std::int64_t, kScenarios> gains{};
  UInt128 squares = 0;
  for (std::size_t t = 0; t < n; ++t) {
    const Gain g = gain(estimate, adverse, delta, t);
    gains[t] = sum(worst[t], g.worst);
    const std::int64_t size = std::max({difference(0, gains[t]), sum(best[t], g.best), std::int64_t{0}});
    const std::uint64_t quarter = (wrap(size) + 3) >> 2;  // so that the squares fit
    squares += static_cast<UInt128>(quarter) * quarter;
  }
  Risk risk;
  risk.deviation = signed_of(4 * (integer_root(squares / n) + (squares == 0 ? 0 : 1)));
  const UInt128 normal = static_cast<UInt128>(wrap(risk.deviation)) * 1'644'854 / 1'000'000;
  risk.value_at_risk = std::max({difference(0, worst_but(n / kRank, std::span(gains).first(n))),
                                 static_cast<std::int64_t>(normal), std::int64_t{0}});
  return risk;
}

// Squares of figures scaled down to 28 bits, and cut there: what is cut is over the limit anyway.
TRADEWIND_VECTOR_CLONES
bool Scenarios::within(const Estimate& estimate, std::int64_t assumed_move, std::int64_t delta,
                       std::int64_t value_at_risk, std::int64_t deviation) const {
  const std::int64_t normal = value_at_risk == kNoLimit ? kNoLimit : value_at_risk / 1'644'855 * 1'000'000;
  const std::int64_t limit = std::min(deviation, normal);
  const int shift = std::max(0, static_cast<int>(std::bit_width(wrap(limit))) - 20);
  constexpr std::uint64_t top = 1ULL << 28;
  const std::int64_t adverse = against(estimate, assumed_move, delta);
  const std::size_t n = used(count);
  std::uint64_t squares = 0;
  std::size_t worse = 0;
  for (std::size_t t = 0; t < n; ++t) {
    const Gain g = gain(estimate, adverse, delta, t);
    const std::int64_t low = sum(worst[t], g.worst);
    worse += low < -value_at_risk ? 1 : 0;
    const std::int64_t size = std::max({difference(0, low), sum(best[t], g.best), std::int64_t{0}});
    const std::uint64_t scaled = std::min((wrap(size) >> shift) + 1, top);
    squares += scaled * scaled;
  }
  const std::uint64_t most = wrap(limit) >> shift;
  return worse <= n / kRank && squares <= n * most * most;
}

Estimate estimate_of(const RiskEstimate& message) {
  Estimate e;
  e.known = message.count > 0;
  e.time = message.time;
  e.count = message.count;
  std::uint64_t squares = 0;
  for (std::size_t t = 0; t < message.count; ++t) {
    const auto r = std::clamp<std::int64_t>(message.returns[t], -kMaxReturn, kMaxReturn);
    e.returns[t] = static_cast<std::int32_t>(r);
    squares += wrap(r * r);
  }
  if (squares > 0) e.move = signed_of(integer_root(squares / message.count) + 1);
  return e;
}

std::int64_t daily_move(std::int64_t annual_ppm) {
  return static_cast<std::int64_t>((static_cast<Int128>(annual_ppm) << kReturnBits) / kMicroRootYear) + 1;
}

// The processor's root is a guess that is off by at most 2^11, one step of Newton's method brings it to within one.
std::uint64_t integer_root(UInt128 value) {
  if (value == 0) return 0;
  constexpr auto kMost = static_cast<UInt128>(std::numeric_limits<std::uint64_t>::max());
  UInt128 root = std::min(static_cast<UInt128>(std::sqrt(static_cast<double>(value))), kMost);
  if (std::bit_width(static_cast<std::uint64_t>(value >> 64)) > 32) root = std::min((root + value / root) / 2, kMost);
  while (root * root > value) --root;
  while (root < kMost && (root + 1) * (root + 1) <= value) ++root;
  return static_cast<std::uint64_t>(root);
}

}  // namespace tradewind
