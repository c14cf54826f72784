// Core: see scenarios.hpp. Historical simulation and the normal approximation of value at risk: P. Jorion, Value at
// Risk, 3rd ed., 2007, chapters 5 and 10; deviations are taken about zero (RiskMetrics Technical Document, 1996, 5.2).
#include "tradewind/engine/scenarios.hpp"

#include <algorithm>

namespace tradewind {
namespace {

constexpr std::int64_t kRank = 20;  // one day in twenty may be worse

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
std::size_t used(std::uint8_t count) { return std::max<std::size_t>(count, 1); }

}  // namespace

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
  const auto nth = gains.begin() + static_cast<std::ptrdiff_t>(n) / kRank;
  std::nth_element(gains.begin(), nth, gains.begin() + static_cast<std::ptrdiff_t>(n));
  Risk risk;
  risk.deviation = signed_of(4 * (integer_root(squares / n) + (squares == 0 ? 0 : 1)));
  const UInt128 normal = static_cast<UInt128>(wrap(risk.deviation)) * 1'644'854 / 1'000'000;
  risk.value_at_risk = std::max({difference(0, *nth), static_cast<std::int64_t>(normal), std::int64_t{0}});
  return risk;
}

// Squares of figures scaled down to 28 bits, and cut there: what is cut is over the limit anyway.
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

std::uint64_t integer_root(UInt128 value) {
  std::uint64_t root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const std::uint64_t next = root | (1ULL << bit);
    if (static_cast<UInt128>(next) * next <= value) root = next;
  }
  return root;
}

}  // namespace tradewind
