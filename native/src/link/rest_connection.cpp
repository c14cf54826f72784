// Shell: see rest_connection.hpp.
#include "tradewind/link/rest_connection.hpp"

#include <sys/socket.h>
#include <time.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tradewind/link/http_answer.hpp"

namespace tradewind {

namespace asio = boost::asio;
using boost::system::error_code;

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

RestConnection::RestConnection(const asio::any_io_executor& executor, const Endpoint& endpoint, const TlsContext* tls)
    : endpoint_(endpoint), tls_context_(tls), resolver_(executor), socket_(executor) {}

asio::awaitable<void> RestConnection::open(std::chrono::milliseconds timeout) {
  open_by_ = monotonic_ns() + std::chrono::nanoseconds(timeout).count();
  plain_.clear();
  try {
    const auto addresses = co_await resolver_.async_resolve(endpoint_.host, endpoint_.port, asio::use_awaitable);
    co_await asio::async_connect(socket_, addresses, asio::use_awaitable);
    socket_.set_option(asio::ip::tcp::no_delay(true));
    socket_.non_blocking(true);
    {
      const std::scoped_lock lock(mutex_);
      socket_handle_ = socket_.native_handle();
      tls_ = tls_context_ != nullptr ? std::make_unique<TlsSession>(*tls_context_, endpoint_.host) : nullptr;
    }
    if (tls_) co_await shake_hands();
  } catch (...) {
    open_by_ = 0;
    close();
    throw;
  }
  open_by_ = 0;
  const std::scoped_lock lock(mutex_);
  state_.store(State::kIdle, std::memory_order_release);
}

asio::awaitable<void> RestConnection::shake_hands() {
  // Nobody else touches the session before the state is kIdle.
  for (;;) {
    const bool done = tls_->handshake();
    if (!send_all(tls_->to_send())) throw LinkError("the connection ended during the TLS handshake");
    if (done) break;
    const std::size_t count = co_await socket_.async_read_some(asio::buffer(received_), asio::use_awaitable);
    tls_->received(received_.data(), count);
  }
}

bool RestConnection::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    // A request is far smaller than a socket buffer: one that does not fit at once means a peer that stopped reading.
    const ssize_t sent = ::send(socket_handle_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RestConnection::try_write(const Call& call, std::string_view bytes, std::int64_t deadline_ns) {
  if (!idle()) return false;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || state_.load(std::memory_order_relaxed) != State::kIdle) return false;
  call_ = call;
  timed_out_ = false;
  deadline_ = deadline_ns;
  state_.store(State::kBusy, std::memory_order_release);
  const bool sent = tls_ ? tls_->write(bytes) && send_all(tls_->to_send()) : send_all(bytes);
  // Part of it may have left: the reader ends, and the request counts as sent without an answer.
  if (!sent) ::shutdown(socket_handle_, SHUT_RDWR);
  return true;
}

asio::awaitable<bool> RestConnection::receive() {
  error_code error;
  const std::size_t count =
      co_await socket_.async_read_some(asio::buffer(received_), asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return false;
  const std::scoped_lock lock(mutex_);
  if (!tls_) {
    plain_.append(received_.data(), count);
    co_return true;
  }
  tls_->received(received_.data(), count);
  const bool open = tls_->read(plain_);
  co_return send_all(tls_->to_send()) && open;
}

asio::awaitable<void> RestConnection::read_answers(const OnAnswer& on_answer) {
  for (bool open = true; open;) {
    open = co_await receive();
    bool failed = false;
    auto parsed = plain_.empty() ? std::nullopt : parse_http_answer(plain_, !open, failed);
    if (failed) break;
    if (!parsed) continue;
    // Bytes after the answer belong to no request: this connection cannot be trusted any more.
    const bool keep_alive = parsed->keep_alive && parsed->used == plain_.size();
    plain_.clear();
    if (!keep_alive) open = false;
    if (!answered(on_answer, {parsed->status, std::move(parsed->body), parsed->retry_after, parsed->rate_reset},
                  keep_alive))
      break;
  }
  close();
}

bool RestConnection::answered(const OnAnswer& on_answer, const Answer& answer, bool keep_alive) {
  std::optional<Call> call;
  {
    const std::scoped_lock lock(mutex_);
    call.swap(call_);
    if (!call) return false;
    state_.store(keep_alive ? State::kIdle : State::kClosed, std::memory_order_release);
  }
  on_answer(*call, answer);
  return true;
}

void RestConnection::close() {
  const std::scoped_lock lock(mutex_);
  state_.store(State::kClosed, std::memory_order_release);
  socket_handle_ = -1;
  error_code ignored;
  static_cast<void>(socket_.close(ignored));
}

std::optional<RestConnection::Lost> RestConnection::take_lost() {
  const std::scoped_lock lock(mutex_);
  if (!call_) return std::nullopt;
  Lost lost{*call_, timed_out_};
  call_.reset();
  return lost;
}

void RestConnection::check_deadline(std::int64_t now_ns) {
  if (open_by_ != 0 && now_ns > open_by_) {
    resolver_.cancel();
    close();
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    if (state_.load(std::memory_order_relaxed) != State::kBusy || now_ns <= deadline_) return;
    timed_out_ = true;
  }
  close();
}

}  // namespace tradewind
