// Shell: the live order path. One engine thread takes inputs from the bus and events from the broker out of two rings,
// steps the engine, has the step journalled, and writes the requests to the broker itself; the link's I/O thread reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tradewind/journal/journal.hpp"
#include "tradewind/link/broker_link.hpp"
#include "tradewind/runtime/executor_config.hpp"
#include "tradewind/runtime/latency_histogram.hpp"
#include "tradewind/runtime/progress.hpp"
#include "tradewind/runtime/spsc_ring.hpp"
#include "tradewind/runtime/wait_strategy.hpp"

namespace tradewind {

// The executor cannot go on: one clear line.
class ExecutorError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Where the time between an intent and its order goes. All in ns of CLOCK_MONOTONIC.
struct HopLatencies {
  LatencyHistogram queue;   // pushed -> taken by the engine thread
  LatencyHistogram decide;  // taken -> decided and in the journal
  LatencyHistogram wait;    // decided -> a connection free, of the orders that found none
  LatencyHistogram encode;  // decided -> request bytes ready, of the orders that found one
  LatencyHistogram write;   // bytes ready -> write returned
  LatencyHistogram total;   // intent pushed -> write returned, of all orders
  LatencyHistogram answer;  // write returned -> the broker's answer stepped
};

struct ExecutorStats {
  EngineCounts counts;
  RiskRecord risk;
  AccountRecord account;
  std::vector<Remains> remains;  // of strategies that are being deleted
  std::vector<StrategyRecord> strategies;
  std::uint64_t last_sequence = 0;
  std::size_t working_orders = 0;
  std::size_t outstanding = 0;  // requests without an answer
  std::string decision_hash;
  std::string state_hash;
  std::string broken_invariant;  // empty: all hold
};

class ExecutorRuntime final : public BrokerEventSink {
 public:
  using MakeLink = std::function<std::unique_ptr<BrokerLink>(const BrokerConfig&, BrokerEventSink&)>;

  // Opens and replays the journal. Throws ConfigError, JournalError, LinkError. `make_link`: the Alpaca link if absent.
  explicit ExecutorRuntime(ExecutorConfig config, const MakeLink& make_link = {});
  ~ExecutorRuntime() override;
  ExecutorRuntime(const ExecutorRuntime&) = delete;
  ExecutorRuntime& operator=(const ExecutorRuntime&) = delete;

  // Connects and reconciles. Returns when intents can be accepted; throws LinkError, JournalError or ExecutorError.
  void start();
  // Ends the threads for good. The journal stays open, and locked, as long as this object lives.
  void stop();

  // Any thread; waits while the ring is full. With the virtual clock input.now is required, with the wall clock it is
  // set here. The span is taken up without a pause between its parts. Throws ExecutorError when the engine thread has
  // ended.
  void push(const Input* inputs, std::size_t count);
  void push(const Input& input) { push(&input, 1); }

  // Everything pushed has been stepped and every request answered. False after the time-out.
  [[nodiscard]] bool wait_idle(std::chrono::nanoseconds timeout);
  // The stream up to this event has been stepped, or is covered by a snapshot taken after it. False after the time-out.
  [[nodiscard]] bool wait_stream(std::uint64_t event_id, std::chrono::nanoseconds timeout);

  // Entries after `after_sequence` from the journal that say something (records, a command, a configuration), whole,
  // until at least `at_least` records or the end. One thread.
  [[nodiscard]] std::vector<JournalEntry> drain(std::uint64_t after_sequence, std::size_t at_least);

  [[nodiscard]] bool ready() const { return ready_.load(std::memory_order_acquire); }
  [[nodiscard]] std::int64_t next_offset(std::uint8_t topic);
  [[nodiscard]] ExecutorStats stats();
  void positions(std::vector<PositionRecord>& out);
  // Limits, symbols or strategies while running. Throws ConfigError; then nothing has changed.
  void reconfigure(EngineConfig config);
  [[nodiscard]] const HopLatencies& latencies() const { return latencies_; }

  // The link's I/O thread.
  void deliver(const BrokerEvent& event) override;
  void written(std::uint64_t request_id, const SendStamps& stamps) override;
  [[nodiscard]] bool holds_lease() const override;  // any thread

  // Any thread: orders may be written until CLOCK_BOOTTIME reads `until` (ns). With ExecutorConfig::lease none may
  // before the first call.
  void extend_lease(std::int64_t until) { lease_until_.store(until, std::memory_order_release); }

 private:
  struct BusItem {
    Input input;
    std::int64_t pushed_at = 0;
  };
  // Of a request without an answer; all but the stamps belong to the engine thread.
  struct InFlight {
    std::atomic<std::uint64_t> request{0};
    std::atomic<std::int64_t> encoded{0}, written{0};
    std::int64_t pushed_at = 0, decided_at = 0;  // pushed_at 0: no order of an intent
    bool waited = false;
  };

  void run();
  [[nodiscard]] bool take_events();  // false: there were none
  [[nodiscard]] bool take_input();
  void take_queries();
  void tick();
  void watch_lease();
  void step(const Input& input, std::int64_t taken_at);
  void send(const std::vector<BrokerRequest>& requests, std::int64_t decided_at);
  void follow(const BrokerEvent& event);
  void measure(std::uint64_t request_id);
  [[nodiscard]] InFlight& in_flight(std::uint64_t request_id) { return in_flight_[request_id % in_flight_.size()]; }
  void fail(const std::string& what);
  void check_alive() const;
  [[nodiscard]] Time now() const;
  // Runs `query` on the engine thread between two steps, or here when that thread does not run.
  void ask(const std::function<void(DurableEngine&)>& query);

  ExecutorConfig config_;
  DurableEngine engine_;
  std::unique_ptr<WaitStrategy> wait_;
  SpscRing<BusItem> bus_;
  SpscRing<BrokerEvent> events_;
  std::unique_ptr<BrokerLink> link_;
  HopLatencies latencies_;
  Progress progress_;
  std::thread thread_;

  std::mutex push_mutex_;  // several threads may push: one at a time is the ring's producer
  std::mutex query_mutex_;
  const std::function<void(DurableEngine&)>* query_ = nullptr;
  std::atomic<bool> query_waits_{false};

  std::atomic<bool> stopping_{false};
  std::atomic<bool> running_{false};
  std::atomic<bool> failed_{false};
  std::string failure_;  // written before failed_
  std::atomic<bool> ready_{false};
  std::atomic<std::size_t> outstanding_{0};
  std::atomic<std::uint64_t> stream_seen_{0};
  std::atomic<std::uint64_t> last_sequence_{0};
  std::atomic<bool> snapshot_failed_{false};
  std::atomic<std::int64_t> lease_until_;  // CLOCK_BOOTTIME, ns

  // Engine thread only.
  std::uint64_t snapshot_covers_ = 0;  // of the latest kLinkUp
  std::int64_t intent_pushed_at_ = 0;  // the oldest intent that no order has followed yet; 0: none
  std::int64_t next_tick_ = 0;
  bool unsynced_ = false;

  std::vector<InFlight> in_flight_;  // by request id: a small direct-mapped table, whose collisions lose a measurement

  std::unique_ptr<JournalReader> drain_reader_;
  std::uint64_t drain_returned_ = 0;  // sequence of the last entry that drain() gave out
};

}  // namespace tradewind
