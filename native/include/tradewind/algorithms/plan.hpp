// Core: how an intent asks to be worked: the algorithm and its parameters, as whole numbers that a journal can hold.
#pragma once

#include <cstdint>
#include <string_view>

namespace tradewind {

// Numbers equal tradewind.v1.Algorithm.
enum class Algorithm : std::uint8_t {
  kNone = 0,  // all at once
  kTwap = 1,
  kVwap = 2,
  kImplementationShortfall = 3,
  kParticipation = 4,
  kAdaptive = 5,
  kSmart = 6,  // the engine chooses when it accepts the intent (smart_routing.hpp)
};

struct ExecutionPlan {
  Algorithm algorithm = Algorithm::kNone;
  std::int64_t duration = 0;       // ns: the window, of which the last slice takes what is left
  std::int64_t interval = 0;       // ns from slice to slice
  std::int64_t urgency = 500'000;  // ppm: share of what a slice left unfilled that the next makes up for
  std::int64_t participation = 0;  // ppm of the volume traded since the start; 0 = no limit
  std::int64_t jitter = 0;         // ppm of the interval by which a slice may be late
  std::int64_t risk_rate = 0;      // 1e-6 per day squared: kappa-tilde squared of almgren_chriss.hpp

  constexpr bool operator==(const ExecutionPlan&) const = default;
};

inline constexpr std::int64_t kPpm = 1'000'000;
inline constexpr std::int64_t kDayNs = 86'400LL * 1'000'000'000;
inline constexpr std::int64_t kMaxSlices = 1000;
inline constexpr std::int64_t kMaxJitter = 500'000;                // so that slices stay in order
inline constexpr std::int64_t kMaxRiskRate = 1'000'000'000'000LL;  // kappa = 1000 per day: within the hour all is done

// The first thing that makes no sense, in one line; empty when the plan can be followed.
[[nodiscard]] std::string_view plan_fault(const ExecutionPlan& plan);

}  // namespace tradewind
