// Shell: see rest_pool.hpp.
#include "tradewind/link/rest_pool.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tradewind/link/backoff.hpp"
#include "tradewind/link/protocol.hpp"
#include "tradewind/link/timestamp.hpp"

namespace tradewind {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kTick{20};
constexpr std::size_t kPage = 500;
constexpr milliseconds kLongestPause{60'000};  // the broker counts by the minute

[[nodiscard]] bool is_cancel(const Call& call) {
  return call.step == Call::Step::kRequest && call.request.kind == RequestKind::kCancel;
}

[[nodiscard]] std::int64_t ns(milliseconds duration) { return std::chrono::nanoseconds(duration).count(); }

}  // namespace

RestPool::RestPool(const asio::any_io_executor& executor, const BrokerConfig& config, const Endpoint& endpoint,
                   const TlsContext* tls, BrokerEventSink& sink)
    : config_(config),
      sink_(sink),
      executor_(executor),
      bell_(executor, ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      engine_bytes_(endpoint, config.key_id, config.secret),
      io_bytes_(endpoint, config.key_id, config.secret),
      budget_(config.requests_per_minute, config.cancel_reserve) {
  waiting_.reserve(4096);
  for (int i = 0; i < config.connections; ++i) {
    connections_.push_back(std::make_unique<RestConnection>(executor, endpoint, tls));
  }
}

void RestPool::launch() {
  for (auto& connection : connections_) asio::co_spawn(executor_, keep_open(*connection), asio::detached);
  asio::co_spawn(executor_, watch_clock(), asio::detached);
  asio::co_spawn(executor_, watch_bell(), asio::detached);
}

void RestPool::close() {
  closing_ = true;
  for (auto& connection : connections_) connection->close();
  bell_.close();
}

asio::awaitable<void> RestPool::keep_open(RestConnection& connection) {
  Backoff backoff(milliseconds(50), milliseconds(5'000));
  asio::steady_timer timer(executor_);
  bool answered = false;
  const RestConnection::OnAnswer handler = [this, &answered](const Call& call, const RestConnection::Answer& answer) {
    answered = true;
    on_answer(call, answer);
  };
  while (!closing_) {
    answered = false;
    try {
      co_await connection.open(config_.timeout);
      pump();
      co_await connection.read_answers(handler);
    } catch (const std::exception&) {
      answered = false;  // what failed shows in the requests that wait for a connection; the next attempt waits
    }
    if (const auto lost = connection.take_lost(); lost && !closing_) on_lost(*lost);
    if (answered) {
      backoff.reset();
      continue;  // a broker may end idle connections at any time: the next one is opened at once
    }
    timer.expires_after(backoff.next());
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> RestPool::watch_clock() {
  asio::steady_timer timer(executor_);
  while (!closing_) {
    timer.expires_after(kTick);
    co_await timer.async_wait(asio::use_awaitable);
    const std::int64_t now = monotonic_ns();
    for (auto& connection : connections_) connection->check_deadline(now);
    expire();
    pump();
  }
}

asio::awaitable<void> RestPool::watch_bell() {
  while (!closing_) {
    co_await bell_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    std::uint64_t rings = 0;
    (void)!::read(bell_.native_handle(), &rings, sizeof rings);
    pump();
  }
}

RestConnection* RestPool::find_idle() {
  const auto found =
      std::find_if(connections_.begin(), connections_.end(), [](const auto& connection) { return connection->idle(); });
  return found == connections_.end() ? nullptr : found->get();
}

bool RestPool::fenced(const Call& call) const {
  if (call.step != Call::Step::kRequest) return false;
  switch (call.request.kind) {
    case RequestKind::kCancel:
    case RequestKind::kLookup:
    case RequestKind::kSnapshot:
      return false;
    default:
      return !sink_.holds_lease();
  }
}

SendStamps RestPool::send(const BrokerRequest& request) {
  Call call;
  call.request = request;
  if (request.kind == RequestKind::kSnapshot) call.step = Call::Step::kAccount;
  const std::int64_t now = monotonic_ns();
  call.give_up_at = now + ns(config_.retry);
  bool first_in_line = false;
  if (find_idle() != nullptr) {
    const std::scoped_lock lock(mutex_);
    first_in_line = waiting_.empty() && may_go(call, now) && budget_.take(now, is_cancel(call));
  }
  SendStamps stamps;
  if (first_in_line && !fenced(call)) {
    // What may not or cannot be sent is told by the I/O thread, which is where all events come from.
    const std::string_view bytes = encode(call, engine_bytes_, engine_buffer_);
    stamps.encoded = monotonic_ns();
    for (auto& connection : connections_) {
      if (!bytes.empty() && connection->try_write(call, bytes, now + ns(config_.timeout))) {
        stamps.written = monotonic_ns();
        return stamps;
      }
    }
  }
  enqueue(call);
  const std::uint64_t ring = 1;
  (void)!::write(bell_.native_handle(), &ring, sizeof ring);
  return {};
}

std::string_view RestPool::encode(const Call& call, RequestBytes& bytes, RequestBuffer& buffer) const {
  switch (call.step) {
    case Call::Step::kRequest:
      return bytes.write(call.request, buffer);
    case Call::Step::kAccount:
      return bytes.write_get("/v2/account", buffer);
    case Call::Step::kPositions:
      return bytes.write_get("/v2/positions", buffer);
    case Call::Step::kOrders:
      break;
  }
  std::string target = "/v2/orders?status=all&limit=" + std::to_string(kPage) + "&direction=asc&nested=false";
  if (!call.after.empty()) target += "&after=" + call.after.str();
  return bytes.write_get(target, buffer);
}

void RestPool::enqueue(const Call& call) {
  const std::scoped_lock lock(mutex_);
  waiting_.push_back(call);
}

bool RestPool::take_next(std::int64_t now_ns, Call& call) {
  const std::scoped_lock lock(mutex_);
  const auto due = [&](const Call& waiting) { return may_go(waiting, now_ns); };
  auto next = std::find_if(waiting_.begin(), waiting_.end(),
                           [&](const Call& waiting) { return is_cancel(waiting) && due(waiting); });
  if (next == waiting_.end()) next = std::find_if(waiting_.begin(), waiting_.end(), due);
  if (next == waiting_.end() || !budget_.take(now_ns, is_cancel(*next))) return false;
  call = *next;
  waiting_.erase(next);
  return true;
}

void RestPool::pump() {
  Call call;
  while (find_idle() != nullptr) {
    const std::int64_t now = monotonic_ns();
    if (!take_next(now, call)) return;
    const std::string_view bytes = encode(call, io_bytes_, io_buffer_);
    SendStamps stamps{monotonic_ns(), 0};
    if (fenced(call)) {
      sink_.deliver(never_sent(call.request, 0, kCodeLeaseLost, "the account's lease had ended; it was not sent"));
      continue;
    }
    if (bytes.empty()) {
      sink_.deliver(never_sent(call.request, 422, kCodeInvalid,
                               "the request has a field that the broker's protocol cannot hold"));
      continue;
    }
    const auto written = [&](auto& connection) {
      return connection->try_write(call, bytes, now + ns(config_.timeout));
    };
    // The engine thread may have been faster on every idle connection: back in line, and its answer pumps again.
    if (std::none_of(connections_.begin(), connections_.end(), written)) {
      const std::scoped_lock lock(mutex_);
      waiting_.insert(waiting_.begin(), call);
      return;
    }
    stamps.written = monotonic_ns();
    if (call.step == Call::Step::kRequest) sink_.written(call.request.request_id, stamps);
  }
}

void RestPool::expire() {
  const std::int64_t now = monotonic_ns();
  std::vector<Call> expired;
  bool limited = false;
  {
    const std::scoped_lock lock(mutex_);
    limited = now < paused_until_;
    const auto late = std::stable_partition(waiting_.begin(), waiting_.end(),
                                            [now](const Call& call) { return call.give_up_at >= now; });
    expired.assign(late, waiting_.end());
    waiting_.erase(late, waiting_.end());
  }
  const std::string within = " within " + std::to_string(config_.retry.count()) + " ms";
  for (const Call& call : expired) {
    sink_.deliver(
        limited || call.not_before > 0
            ? never_sent(call.request, 429, kCodeRateLimited, "the broker's rate limit did not clear" + within)
            : never_sent(call.request, 503, 0, "no connection to the broker or no request budget" + within));
  }
}

// Refused before it was looked at: the one answer after which an order may be sent again as it is. Until the broker
// takes requests again, as its headers say or by a growing guess, everything waits but cancels.
void RestPool::on_rate_limit(const Call& call, const RestConnection::Answer& answer) {
  const std::int64_t now = monotonic_ns();
  const milliseconds guess = std::min(milliseconds(100) * (1 << std::min(call.attempts, 6)), milliseconds(5'000));
  milliseconds said{0};
  if (answer.retry_after >= 0) {
    said = std::chrono::seconds(answer.retry_after);
  } else if (answer.rate_reset >= 0) {
    const std::chrono::sys_seconds reset{std::chrono::seconds(answer.rate_reset)};
    said = std::chrono::ceil<milliseconds>(reset - std::chrono::system_clock::now());
  }
  Call again = call;
  ++again.attempts;
  again.not_before = now + ns(guess);
  const std::scoped_lock lock(mutex_);
  paused_until_ = std::max(paused_until_, now + ns(std::clamp(said, guess, kLongestPause)));
  budget_.exhaust(now);
  waiting_.insert(waiting_.begin(), again);
}

bool RestPool::may_go(const Call& call, std::int64_t now_ns) const {
  return call.not_before <= now_ns && (is_cancel(call) || now_ns >= paused_until_);
}

void RestPool::on_answer(const Call& call, const RestConnection::Answer& answer) {
  if (answer.status == 429) return on_rate_limit(call, answer);
  if (call.step != Call::Step::kRequest) {
    on_snapshot_answer(call, answer);
  } else {
    sink_.deliver(map_answer(call.request, answer.status, answer.body));
  }
  pump();
}

void RestPool::on_lost(const RestConnection::Lost& lost) {
  if (lost.call.idempotent() && lost.call.attempts == 0 && !lost.timed_out) {
    // Often a keep-alive connection that the broker closed as we wrote. A question may be asked twice, an order not.
    Call again = lost.call;
    ++again.attempts;
    enqueue(again);
    pump();
    return;
  }
  const std::string why = lost.timed_out ? "no answer within " + std::to_string(config_.timeout.count()) + " ms"
                                         : "the connection ended before the answer";
  sink_.deliver(lost_answer(lost.call.request, why));
}

void RestPool::snapshot_failed(const Call& call, int status, std::string_view why) {
  BrokerEvent event = lost_answer(call.request, why);
  event.http_status = status;
  sink_.deliver(event);
}

void RestPool::next_snapshot_step(const Call& call, Call::Step step, std::string_view after) {
  Call next;
  next.request = call.request;
  next.step = step;
  next.after.assign(after);
  next.give_up_at = monotonic_ns() + ns(config_.retry);
  enqueue(next);
}

void RestPool::on_snapshot_answer(const Call& call, const RestConnection::Answer& answer) {
  if (answer.status != 200) {
    return snapshot_failed(call, answer.status, parse_error(answer.body).text.view());
  }
  const auto deliver = [&](BrokerEvent event) {
    event.request_id = call.request.request_id;
    sink_.deliver(event);
  };
  switch (call.step) {
    case Call::Step::kAccount: {
      BrokerEvent account;
      if (parse_account(answer.body, account) != ParseResult::kOk) {
        return snapshot_failed(call, 200, "the broker's account cannot be read");
      }
      deliver(account);
      return next_snapshot_step(call, Call::Step::kPositions, {});
    }
    case Call::Step::kPositions:
      if (parse_positions(answer.body, deliver) != ParseResult::kOk) {
        return snapshot_failed(call, 200, "the broker's positions cannot be read");
      }
      return next_snapshot_step(call, Call::Step::kOrders, {});
    default:
      return on_orders_page(call, answer.body);
  }
}

void RestPool::on_orders_page(const Call& call, const std::string& body) {
  OrdersPage page;
  const auto deliver = [&](BrokerEvent event) {
    event.request_id = call.request.request_id;
    sink_.deliver(event);
  };
  if (parse_orders(body, deliver, page) != ParseResult::kOk) {
    return snapshot_failed(call, 200, "the broker's orders cannot be read");
  }
  if (page.rows < kPage) {
    BrokerEvent end;
    end.kind = BrokerEventKind::kSnapshotEnd;
    end.request_id = call.request.request_id;
    return sink_.deliver(end);
  }
  // `after` is exclusive, and several orders may share a time: the next page starts just before the last one.
  const auto last = parse_rfc3339(page.last_submitted_at);
  const std::string after = last ? format_rfc3339(*last - 1) : "";
  if (after.empty() || (!call.after.empty() && after <= call.after.view())) {
    return snapshot_failed(call, 200, "the broker's orders cannot be paged by submission time");
  }
  next_snapshot_step(call, Call::Step::kOrders, after);
}

}  // namespace tradewind
