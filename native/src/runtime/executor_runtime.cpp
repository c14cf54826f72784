// Shell: see executor_runtime.hpp. This file: the life of the runtime and what other threads may ask of it.
#include "tradewind/runtime/executor_runtime.hpp"

#include <time.h>

#include "tradewind/link/alpaca_link.hpp"
#include "tradewind/link/rest_connection.hpp"
#include "tradewind/runtime/blocking_wait.hpp"
#include "tradewind/runtime/spin_wait.hpp"

namespace tradewind {

namespace {

constexpr std::size_t kRing = 4096;
constexpr std::chrono::microseconds kRetry{50};  // between two tries of a producer whose ring is full

// Where the journal is, its directory made.
[[nodiscard]] std::filesystem::path journal_of(const ExecutorConfig& config) {
  const std::filesystem::path& directory = config.journal_directory;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    throw JournalError("journal.directory: \"" + directory.string() + "\" cannot be created: " + error.message());
  }
  return config.journal_path();
}

[[nodiscard]] std::unique_ptr<WaitStrategy> make_wait(bool spinning) {
  if (spinning) return std::make_unique<SpinWait>();
  return std::make_unique<BlockingWait>();
}

}  // namespace

ExecutorRuntime::ExecutorRuntime(ExecutorConfig config, const MakeLink& make_link)
    : config_(std::move(config)),
      engine_(journal_of(config_), config_.engine, config_.sync, config_.lease ? Locked::kTakeOver : Locked::kRefuse),
      wait_(make_wait(config_.threads.spinning)),
      bus_(kRing),
      events_(kRing),
      link_(make_link ? make_link(config_.broker, *this) : std::make_unique<AlpacaLink>(config_.broker, *this)),
      lease_until_(config_.lease ? 0 : std::numeric_limits<std::int64_t>::max()),
      in_flight_(4096) {
  last_sequence_ = engine_.last_sequence();
}

ExecutorRuntime::~ExecutorRuntime() { stop(); }

void ExecutorRuntime::start() {
  link_->start();  // what it delivers waits in the ring
  running_ = true;
  thread_ = std::thread([this] { run(); });
  // Account, positions and orders are three questions or more, each of which may take its time.
  const auto patience = 6 * config_.broker.timeout;
  const bool settled =
      progress_.wait(patience, [this] { return ready() || failed_.load() || snapshot_failed_.load(); });
  if (ready()) return;
  const std::string why =
      !settled ? "no complete account, positions and orders within " + std::to_string(patience.count()) + " ms"
               : "the broker did not give its account, positions and orders";
  stop();
  check_alive();
  throw ExecutorError("cannot reconcile with the broker at " + config_.broker.url + ": " + why);
}

void ExecutorRuntime::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  wait_->notify();
  thread_.join();
  link_->stop();
}

void ExecutorRuntime::check_alive() const {
  if (failed_.load(std::memory_order_acquire)) throw ExecutorError(failure_);
}

Time ExecutorRuntime::now() const {
  if (config_.threads.clock == Clock::kVirtual) return engine_.engine().now();
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  return static_cast<Time>(wall.tv_sec) * 1'000'000'000 + wall.tv_nsec;
}

bool ExecutorRuntime::holds_lease() const {
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);  // goes on while the machine sleeps
  const std::int64_t at = static_cast<std::int64_t>(boot.tv_sec) * 1'000'000'000 + boot.tv_nsec;
  return at < lease_until_.load(std::memory_order_acquire);
}

void ExecutorRuntime::push(const Input* inputs, std::size_t count) {
  const std::scoped_lock lock(push_mutex_);
  const std::int64_t pushed_at = monotonic_ns();
  for (std::size_t i = 0; i < count; ++i) {
    if (config_.threads.clock == Clock::kVirtual && inputs[i].now <= 0) {
      throw ExecutorError("an input without its time: with the virtual clock every push needs `now`");
    }
    while (!bus_.try_push({inputs[i], pushed_at})) {
      check_alive();
      if (!running_) throw ExecutorError("the executor does not run, and its queue is full: start() it first");
      wait_->notify();
      std::this_thread::sleep_for(kRetry);
    }
  }
  check_alive();
  wait_->notify();
}

void ExecutorRuntime::deliver(const BrokerEvent& event) {
  while (!events_.try_push(event)) {
    if (stopping_ || failed_) return;  // nobody reads any more; the next start asks the broker for everything
    wait_->notify();
    std::this_thread::sleep_for(kRetry);
  }
  wait_->notify();
}

void ExecutorRuntime::written(std::uint64_t request_id, const SendStamps& stamps) {
  InFlight& request = in_flight(request_id);
  if (request.request.load(std::memory_order_acquire) != request_id) return;
  request.encoded.store(stamps.encoded, std::memory_order_relaxed);
  request.written.store(stamps.written, std::memory_order_relaxed);
}

bool ExecutorRuntime::wait_idle(std::chrono::nanoseconds timeout) {
  const bool idle = progress_.wait(timeout, [this] {
    return failed_.load() || (bus_.empty() && events_.empty() && outstanding_.load(std::memory_order_acquire) == 0);
  });
  check_alive();
  return idle;
}

bool ExecutorRuntime::wait_stream(std::uint64_t event_id, std::chrono::nanoseconds timeout) {
  const bool seen = progress_.wait(
      timeout, [&] { return failed_.load() || stream_seen_.load(std::memory_order_acquire) >= event_id; });
  check_alive();
  return seen;
}

std::vector<JournalEntry> ExecutorRuntime::drain(std::uint64_t after_sequence, std::size_t at_least) {
  const std::uint64_t end = last_sequence_.load(std::memory_order_acquire);
  // The reader goes on where it was unless an earlier point is asked for.
  if (!drain_reader_ || after_sequence < drain_returned_) {
    drain_reader_ = std::make_unique<JournalReader>(config_.journal_path());
    drain_returned_ = 0;
  }
  std::vector<JournalEntry> entries;
  for (std::size_t records = 0; records < at_least && drain_reader_->sequence() < end;) {
    if (drain_reader_->sequence() < after_sequence) {
      if (!drain_reader_->skip()) break;
      continue;
    }
    JournalEntry entry;
    if (!drain_reader_->next(entry)) break;
    const auto* control = std::get_if<Control>(&entry.input.body);
    const bool command = entry.kind == EntryKind::kStep && control != nullptr && is_command(*control);
    if (entry.outputs.records.empty() && !command && entry.kind != EntryKind::kConfig) continue;
    records += std::max<std::size_t>(entry.outputs.records.size(), 1);
    drain_returned_ = entry.sequence;
    entries.push_back(std::move(entry));
  }
  return entries;
}

void ExecutorRuntime::ask(const std::function<void(DurableEngine&)>& query) {
  const std::scoped_lock one_at_a_time(query_mutex_);
  if (running_) {
    query_ = &query;
    query_waits_.store(true, std::memory_order_release);
    wait_->notify();
    if (progress_.wait(std::chrono::hours(1),
                       [this] { return !query_waits_.load(std::memory_order_acquire) || !running_; }) &&
        !query_waits_.exchange(false)) {
      return;
    }
  }
  query(engine_);
}

std::int64_t ExecutorRuntime::next_offset(std::uint8_t topic) {
  std::int64_t offset = 0;
  ask([&](DurableEngine& durable) { offset = durable.engine().next_offset(topic); });
  return offset;
}

ExecutorStats ExecutorRuntime::stats() {
  ExecutorStats stats;
  ask([&](DurableEngine& durable) {
    const Engine& engine = durable.engine();
    stats.counts = engine.counts();
    stats.risk = engine.risk();
    stats.account = engine.account();
    engine.remains(stats.remains);
    engine.strategy_records(stats.strategies);
    stats.last_sequence = durable.last_sequence();
    stats.working_orders = engine.working_orders();
    stats.decision_hash = engine.decision_hash();
    stats.state_hash = engine.state_hash();
    stats.broken_invariant = engine.check_invariants();
  });
  stats.outstanding = outstanding_.load();
  return stats;
}

void ExecutorRuntime::positions(std::vector<PositionRecord>& out) {
  ask([&](DurableEngine& durable) { durable.engine().positions(out); });
}

void ExecutorRuntime::reconfigure(EngineConfig config) {
  std::string refused;
  ask([&](DurableEngine& durable) {
    try {
      durable.reconfigure(config);
      last_sequence_ = durable.last_sequence();
    } catch (const ConfigError& error) {
      refused = error.what();
    }
  });
  if (!refused.empty()) throw ConfigError(refused);
}

}  // namespace tradewind
