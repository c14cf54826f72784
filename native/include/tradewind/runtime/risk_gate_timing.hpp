// Shell: times the risk gate in this process, one check at a time, for benchmarks/risk_gate.py.
#pragma once

#include <cstdint>

#include "tradewind/engine/config.hpp"
#include "tradewind/runtime/latency_histogram.hpp"

namespace tradewind {

struct RiskGateTiming {
  LatencyHistogram check;      // ns per check, reading the clock subtracted
  std::size_t working = 0;     // orders that work while the gate is asked
  std::uint64_t accepted = 0;  // checks that found nothing to deny: these went through every limit
  double clock_ns = 0;         // what was subtracted
};

// An engine with an order working in each of the first `open_orders` symbols and an estimate of each symbol; then,
// `checks` times, a small order in one symbol after another is put to the gate: the account's snapshot taken and every
// limit asked. Throws ConfigError when a limit is absent or there are fewer symbols than orders.
void time_risk_gate(const EngineConfig& config, std::size_t open_orders, std::uint64_t checks, RiskGateTiming& timing);

}  // namespace tradewind
