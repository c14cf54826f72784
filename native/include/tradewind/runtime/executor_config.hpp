// Core: everything an executor is made from, and its JSON.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tradewind/engine/config.hpp"
#include "tradewind/journal/journal.hpp"
#include "tradewind/link/broker_config.hpp"

namespace tradewind {

enum class Clock : std::uint8_t {
  kWall,     // inputs are stamped with CLOCK_REALTIME; the engine hears of time passing once a second
  kVirtual,  // each input brings its time, and what the broker says happens at the time of the latest one
};

struct ThreadConfig {
  bool spinning = false;
  int cpu = -1;  // the engine thread is pinned there; -1: anywhere
  Clock clock = Clock::kWall;
};

struct ExecutorConfig {
  EngineConfig engine;
  std::filesystem::path journal_directory;
  SyncPolicy sync = SyncPolicy::kNone;
  BrokerConfig broker;
  ThreadConfig threads;
  bool lease = false;  // orders need a lease (ExecutorRuntime::extend_lease), and a locked journal is taken over

  [[nodiscard]] std::filesystem::path journal_path() const { return journal_directory / "executor.journal"; }
};

// {"engine": {...}, "journal": {"directory", "sync": "none|batch|always"},
//  "broker": {"url", "key_id", "secret", and optionally "stream_url", "ca_file", "requests_per_minute",
//  "cancel_reserve",
//             "timeout_ms", "retry_ms", "connections"},
//  "threads": {"wait": "blocking|spinning", "cpu": null|int, "clock": "wall|virtual"},
//  "lease": false|true} with "threads" and "lease" optional.
// Throws ConfigError naming the key: unknown, missing, or of the wrong kind.
[[nodiscard]] ExecutorConfig parse_executor_config(std::string_view json);

}  // namespace tradewind
