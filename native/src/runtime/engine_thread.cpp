// Shell: the engine thread of executor_runtime.hpp. Nothing here allocates in steady state.
#include <pthread.h>
#include <sched.h>

#include "tradewind/link/rest_connection.hpp"
#include "tradewind/runtime/executor_runtime.hpp"

namespace tradewind {

namespace {

constexpr std::chrono::milliseconds kLongestSleep{100};
constexpr std::int64_t kTickPeriod = 1'000'000'000;

// The events that end a request. Of a snapshot only the last one does.
[[nodiscard]] bool ends_request(BrokerEventKind kind) {
  switch (kind) {
    case BrokerEventKind::kSubmitAccepted:
    case BrokerEventKind::kSubmitRejected:
    case BrokerEventKind::kSubmitUnknown:
    case BrokerEventKind::kDuplicate:
    case BrokerEventKind::kCancelAccepted:
    case BrokerEventKind::kCancelRejected:
    case BrokerEventKind::kCancelUnknown:
    case BrokerEventKind::kLookupFound:
    case BrokerEventKind::kLookupMissing:
    case BrokerEventKind::kLookupFailed:
    case BrokerEventKind::kSnapshotEnd:
    case BrokerEventKind::kSnapshotFailed:
      return true;
    default:
      return false;
  }
}

// Empty when done; else why not.
[[nodiscard]] std::string pin_to(int cpu) {
  if (cpu < 0) return "";
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < CPU_SETSIZE) CPU_SET(static_cast<unsigned>(cpu), &set);
  if (cpu < CPU_SETSIZE && pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0) return "";
  return "threads.cpu: CPU " + std::to_string(cpu) + " is not available to this process";
}

}  // namespace

void ExecutorRuntime::run() {
  pthread_setname_np(pthread_self(), "tw-engine");
  try {
    if (const std::string refused = pin_to(config_.threads.cpu); !refused.empty()) throw ExecutorError(refused);
    // The journal may end with a link that was up: that session is over.
    Input restart;
    restart.now = now();
    restart.body.emplace<BrokerEvent>().kind = BrokerEventKind::kLinkDown;
    step(restart, monotonic_ns());
    while (!stopping_.load(std::memory_order_acquire)) {
      const std::uint32_t ticket = wait_->prepare();
      take_queries();
      tick();
      watch_lease();
      // The broker's news first: an intent is judged against the latest books.
      const bool worked = take_events();
      if (take_input() || worked) continue;
      if (unsynced_) {
        engine_.sync();
        unsynced_ = false;
      }
      progress_.advanced();
      wait_->wait(ticket, kLongestSleep);
    }
  } catch (const std::exception& error) {
    fail(error.what());
  }
  running_ = false;
  progress_.advanced();
}

void ExecutorRuntime::fail(const std::string& what) {
  failure_ = what;
  ready_ = false;
  failed_.store(true, std::memory_order_release);
}

void ExecutorRuntime::take_queries() {
  if (!query_waits_.load(std::memory_order_acquire)) return;
  (*query_)(engine_);
  query_waits_.store(false, std::memory_order_release);
  progress_.advanced();
}

// Time passes for the engine only with inputs: with the wall clock it hears of it even when nothing happens.
void ExecutorRuntime::tick() {
  if (config_.threads.clock == Clock::kVirtual) return;
  const std::int64_t at = monotonic_ns();
  if (at < next_tick_) return;
  next_tick_ = at + kTickPeriod;
  Input input;
  input.now = now();
  step(input, at);
}

// The engine hears of the lease before anything else of the round, so that it judges by the present state.
void ExecutorRuntime::watch_lease() {
  if (!config_.lease || holds_lease() == !engine_.engine().fenced()) return;
  Input input;
  input.now = now();
  auto& control = input.body.emplace<Control>();
  control.kind = engine_.engine().fenced() ? ControlKind::kLeaseHeld : ControlKind::kLeaseLost;
  control.issued_by = ShortText("lease");
  step(input, monotonic_ns());
}

bool ExecutorRuntime::take_events() {
  bool any = false;
  while (const BrokerEvent* event = events_.front()) {
    Input input;
    input.now = now();
    input.body = *event;
    step(input, monotonic_ns());
    follow(*event);
    events_.pop();
    any = true;
  }
  return any;
}

bool ExecutorRuntime::take_input() {
  const BusItem* item = bus_.front();
  if (item == nullptr) return false;
  const std::int64_t taken_at = monotonic_ns();
  latencies_.queue.record(taken_at - item->pushed_at);
  if (std::holds_alternative<Intent>(item->input.body) && intent_pushed_at_ == 0) intent_pushed_at_ = item->pushed_at;
  Input input = item->input;
  if (config_.threads.clock == Clock::kWall) input.now = now();
  step(input, taken_at);
  const auto* control = std::get_if<Control>(&input.body);
  if (control != nullptr && control->kind == ControlKind::kFlush) intent_pushed_at_ = 0;
  bus_.pop();
  return true;
}

void ExecutorRuntime::step(const Input& input, std::int64_t taken_at) {
  const Outputs& outputs = engine_.step(input);
  const std::int64_t decided_at = monotonic_ns();
  unsynced_ = config_.sync == SyncPolicy::kBatch;
  last_sequence_.store(engine_.last_sequence(), std::memory_order_release);
  if (!outputs.requests.empty()) {
    latencies_.decide.record(decided_at - taken_at);
    send(outputs.requests, decided_at);
  }
  ready_.store(engine_.engine().ready(), std::memory_order_release);
}

void ExecutorRuntime::send(const std::vector<BrokerRequest>& requests, std::int64_t decided_at) {
  for (const BrokerRequest& request : requests) {
    outstanding_.fetch_add(1, std::memory_order_acq_rel);
    InFlight& slot = in_flight(request.request_id);
    slot.encoded.store(0, std::memory_order_relaxed);
    slot.written.store(0, std::memory_order_relaxed);
    const bool sends = request.kind == RequestKind::kSubmit || request.kind == RequestKind::kReplace;
    slot.pushed_at = sends ? intent_pushed_at_ : 0;
    slot.decided_at = decided_at;
    slot.request.store(request.request_id, std::memory_order_release);
    const SendStamps stamps = link_->send(request);
    slot.waited = stamps.written == 0;
    if (slot.waited) continue;  // the I/O thread tells written() when it has gone
    slot.encoded.store(stamps.encoded, std::memory_order_relaxed);
    slot.written.store(stamps.written, std::memory_order_relaxed);
    decided_at = stamps.written;
  }
}

// Once per request, when its answer is here: everything about it is known then, and this thread alone records.
void ExecutorRuntime::measure(std::uint64_t request_id) {
  InFlight& slot = in_flight(request_id);
  if (request_id == 0 || slot.request.exchange(0, std::memory_order_acq_rel) != request_id) return;
  const std::int64_t encoded = slot.encoded.load(std::memory_order_relaxed);
  const std::int64_t written = slot.written.load(std::memory_order_relaxed);
  if (written == 0) return;  // never sent
  latencies_.answer.record(monotonic_ns() - written);
  if (slot.pushed_at == 0) return;
  (slot.waited ? latencies_.wait : latencies_.encode).record(encoded - slot.decided_at);
  latencies_.write.record(written - encoded);
  latencies_.total.record(written - slot.pushed_at);
}

// What an event means for those who wait.
void ExecutorRuntime::follow(const BrokerEvent& event) {
  if (ends_request(event.kind)) {
    outstanding_.fetch_sub(1, std::memory_order_acq_rel);
    measure(event.request_id);
  }
  std::uint64_t seen = event.kind == BrokerEventKind::kTradeUpdate ? event.stream_id : 0;
  if (event.kind == BrokerEventKind::kLinkUp) snapshot_covers_ = event.stream_id;
  if (event.kind == BrokerEventKind::kSnapshotEnd) seen = snapshot_covers_;
  if (event.kind == BrokerEventKind::kSnapshotFailed) snapshot_failed_ = true;
  if (seen > stream_seen_.load(std::memory_order_relaxed)) stream_seen_.store(seen, std::memory_order_release);
}

}  // namespace tradewind
