// Shell: times the risk gate in this process, one check at a time, for benchmarks/risk_gate.py.
#pragma once

#include <cstdint>

#include "tradewind/engine/config.hpp"
#include "tradewind/runtime/latency_histogram.hpp"

namespace tradewind {

struct RiskGateTiming {
  LatencyHistogram check;      // ns per check, reading the clock subtracted
  std::uint64_t accepted = 0;  // checks that found nothing to deny: these went through every limit
  double clock_ns = 0;         // what was subtracted
};

// `checks` times: both stages of the gate (an intent's and its order's) for a request and a snapshot of the account
// that differ from time to time and pass every limit. Throws ConfigError when a limit is absent or there is no symbol.
void time_risk_gate(const EngineConfig& config, std::uint64_t checks, RiskGateTiming& timing);

}  // namespace tradewind
