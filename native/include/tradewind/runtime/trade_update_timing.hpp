// Shell: times what a frame of trade_updates costs until it is in the books and the journal, for
// benchmarks/trade_updates.py.
#pragma once

#include <cstdint>
#include <filesystem>

#include "tradewind/engine/config.hpp"
#include "tradewind/runtime/latency_histogram.hpp"

namespace tradewind {

struct TradeUpdateTiming {
  LatencyHistogram parse;  // ns: frame -> event
  LatencyHistogram books;  // ns: frame -> event -> books moved and journalled
  std::uint64_t fills = 0;
};

// `frames` orders of one share, bought and sold by turns and filled by one frame each, in a journal made in
// `directory`. One thread: without the hand-over from the link's thread to the engine's. Throws ConfigError,
// JournalError, and std::runtime_error when a frame did not move the books.
void time_trade_updates(const EngineConfig& config, const std::filesystem::path& directory, std::uint64_t frames,
                        TradeUpdateTiming& timing);

}  // namespace tradewind
