// Shell: the broker's REST door: warm connections, the request budget, what waits, and what an answer leads to.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tradewind/link/broker_link.hpp"
#include "tradewind/link/rate_budget.hpp"
#include "tradewind/link/request_bytes.hpp"
#include "tradewind/link/rest_connection.hpp"

namespace tradewind {

class RestPool {
 public:
  RestPool(const boost::asio::any_io_executor& executor, const BrokerConfig& config, const Endpoint& endpoint,
           const TlsContext* tls, BrokerEventSink& sink);

  void launch();  // I/O thread: opens the connections and keeps them open
  void close();   // I/O thread

  // Engine thread: writes straight to an idle connection; otherwise the request waits for the I/O thread.
  SendStamps send(const BrokerRequest& request);

 private:
  boost::asio::awaitable<void> keep_open(RestConnection& connection);
  boost::asio::awaitable<void> watch_clock();
  boost::asio::awaitable<void> watch_bell();

  [[nodiscard]] bool fenced(const Call& call) const;  // it changes something but by a cancel, and the lease has ended
  void enqueue(const Call& call);
  [[nodiscard]] bool take_next(std::int64_t now_ns, Call& call);  // the next that may be sent now; cancels first
  void pump();                                                    // I/O thread: sends what may be sent
  void expire();                                                  // I/O thread: gives up what waited too long
  [[nodiscard]] std::string_view encode(const Call& call, RequestBytes& bytes, RequestBuffer& buffer) const;
  [[nodiscard]] RestConnection* find_idle();

  void on_rate_limit(const Call& call, const RestConnection::Answer& answer);
  [[nodiscard]] bool may_go(const Call& call, std::int64_t now_ns) const;  // under mutex_
  void on_answer(const Call& call, const RestConnection::Answer& answer);
  void on_lost(const RestConnection::Lost& lost);
  void on_snapshot_answer(const Call& call, const RestConnection::Answer& answer);
  void on_orders_page(const Call& call, const std::string& body);
  void next_snapshot_step(const Call& call, Call::Step step, std::string_view after);
  void snapshot_failed(const Call& call, int status, std::string_view why);

  BrokerConfig config_;
  BrokerEventSink& sink_;
  boost::asio::any_io_executor executor_;
  std::vector<std::unique_ptr<RestConnection>> connections_;
  boost::asio::posix::stream_descriptor bell_;  // eventfd: something waits
  RequestBytes engine_bytes_, io_bytes_;        // one per thread: templates are made on first use
  RequestBuffer engine_buffer_{}, io_buffer_{};
  bool closing_ = false;  // I/O thread

  std::mutex mutex_;  // guards what follows
  RateBudget budget_;
  std::int64_t paused_until_ = 0;  // monotonic: the broker has said when it takes more than cancels
  std::vector<Call> waiting_;      // oldest first; reserved
};

}  // namespace tradewind
