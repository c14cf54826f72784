// Core: the account in each of the last days: what every position would gain or lose if one of those days came again.
// Integers throughout, so that machines agree.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "tradewind/engine/config.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

inline constexpr int kReturnBits = 20;                           // a return of 1 is 2^20
inline constexpr std::int64_t kCent = 1'000'000;                 // 1e-8 dollars
inline constexpr std::int64_t kMaxReturn = 2LL << kReturnBits;   // larger ones are cut
inline constexpr std::int64_t kMostCents = 1LL << 40;            // of gross exposure; above it nothing is measured
inline constexpr std::int64_t kMicroRootYear = 15'874'508;       // square root of 252 trading days, 1e-6
inline constexpr std::int64_t kNormalQuantileSquared = 270'554;  // 1.644854 squared, 1e-5: 95 % of a normal one

// What the slow loop has said of one symbol, as the engine keeps it.
struct Estimate {
  bool known = false;
  Time time = 0;
  std::uint32_t group = 0xffffffff;  // index of the group's first symbol; this: in no group
  std::uint8_t count = 0;
  std::int64_t move = 0;  // root mean square of the returns about zero, 2^-20
  std::array<std::int32_t, kScenarios> returns{};
};

// Gain of the account per scenario in cents at 2^-20: `worst` if of what works at the broker only what loses fills,
// `best` if only what gains. A symbol without an estimate moves by the assumed amount, always against the account.
// Sums wrap and are right whenever the gross exposure is at most kMostCents.
struct Scenarios {
  std::array<std::int64_t, kScenarios> worst{}, best{};
  std::uint8_t count = 0;  // 0: no symbol has an estimate, and every entry holds the assumed moves

  // Adds the exposure [low, high] in cents (sign = -1 takes it out again).
  void add(const Estimate& estimate, std::int64_t assumed_move, std::int64_t low, std::int64_t high, int sign);

  struct Risk {
    std::int64_t value_at_risk = 0;  // 95 %, one day: the larger of historical and normal, cents at 2^-20
    std::int64_t deviation = 0;      // one day, cents at 2^-20
  };
  // Were `delta` cents more of the symbol held.
  [[nodiscard]] Risk risk(const Estimate& estimate, std::int64_t assumed_move, std::int64_t delta) const;
  // Whether that risk is certainly at most both limits (cents at 2^-20). False may also mean: look at risk().
  [[nodiscard]] bool within(const Estimate& estimate, std::int64_t assumed_move, std::int64_t delta,
                            std::int64_t value_at_risk, std::int64_t deviation) const;
};

// An estimate from a message; `move` is measured.
[[nodiscard]] Estimate estimate_of(const RiskEstimate& message);

// Annual volatility in ppm as a daily move at 2^-20, rounded up.
[[nodiscard]] std::int64_t daily_move(std::int64_t annual_ppm);

// Floor of the square root.
[[nodiscard]] std::uint64_t integer_root(UInt128 value);

}  // namespace tradewind
