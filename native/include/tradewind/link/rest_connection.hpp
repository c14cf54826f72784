// Shell: one warm keep-alive connection to the broker, one request in flight. Whoever finds it idle may write to it:
// the engine thread does so itself, which saves the hop to the I/O thread. Only the I/O thread opens, reads and closes
// it.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "tradewind/link/broker_config.hpp"
#include "tradewind/link/tls.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

// Nanoseconds of CLOCK_MONOTONIC.
[[nodiscard]] std::int64_t monotonic_ns();

// What a request is for, and until when it may take.
struct Call {
  enum class Step : std::uint8_t { kRequest, kAccount, kPositions, kOrders };  // the last three: parts of a snapshot
  Step step = Step::kRequest;
  BrokerRequest request;
  FixedString<40> after;        // kOrders: where the page begins
  std::int64_t give_up_at = 0;  // monotonic: not sent by then = never sent
  std::int64_t not_before = 0;  // monotonic: after a 429
  int attempts = 0;
  [[nodiscard]] bool idempotent() const { return step != Step::kRequest || request.kind == RequestKind::kLookup; }
};

class RestConnection {
 public:
  enum class State : std::uint8_t { kClosed, kIdle, kBusy };
  struct Answer {
    int status = 0;
    std::string body;
    int retry_after = -1;  // see HttpAnswer
    std::int64_t rate_reset = -1;
  };
  struct Lost {
    Call call;
    bool timed_out = false;
  };
  using OnAnswer = std::function<void(const Call&, const Answer&)>;

  RestConnection(const boost::asio::any_io_executor& executor, const Endpoint& endpoint, const TlsContext* tls);

  // I/O thread. Resolves, connects and shakes hands until `timeout`. Throws LinkError or boost::system::system_error.
  boost::asio::awaitable<void> open(std::chrono::milliseconds timeout);
  // I/O thread. Reads answers until the connection ends; afterwards it is closed. `on_answer` must outlive the reading
  // (and is a reference: g++ 12 destroys temporaries of a co_await expression twice).
  boost::asio::awaitable<void> read_answers(const OnAnswer& on_answer);
  // I/O thread. Closes the socket; the readers end.
  void close();
  // I/O thread. After the end: the request whose answer will not come.
  [[nodiscard]] std::optional<Lost> take_lost();
  // I/O thread. Closes when the connection attempt or the request in flight is past its time.
  void check_deadline(std::int64_t now_ns);

  // Any thread. Writes in one piece when the connection is idle, else does nothing. True: the request is in flight, and
  // on_answer or take_lost() will name it.
  [[nodiscard]] bool try_write(const Call& call, std::string_view bytes, std::int64_t deadline_ns);
  [[nodiscard]] bool idle() const { return state_.load(std::memory_order_acquire) == State::kIdle; }

 private:
  boost::asio::awaitable<void> shake_hands();
  [[nodiscard]] bool send_all(std::string_view bytes);  // under mutex_
  boost::asio::awaitable<bool> receive();
  // False: nobody asked for it.
  [[nodiscard]] bool answered(const OnAnswer& on_answer, const Answer& answer, bool keep_alive);

  Endpoint endpoint_;
  const TlsContext* tls_context_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  std::array<char, kTlsRecord> received_{};  // from the socket
  std::string plain_;                        // of it, not yet parsed
  std::int64_t open_by_ = 0;                 // 0: not opening

  std::mutex mutex_;  // guards what follows: the engine thread writes, the I/O thread reads
  std::atomic<State> state_ = State::kClosed;
  std::unique_ptr<TlsSession> tls_;
  int socket_handle_ = -1;
  std::optional<Call> call_;
  std::int64_t deadline_ = 0;
  bool timed_out_ = false;
};

}  // namespace tradewind
