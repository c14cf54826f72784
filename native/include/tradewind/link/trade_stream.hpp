// Shell: the trade_updates WebSocket: authenticates, listens, tells of every loss, and comes back by itself.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <exception>
#include <functional>
#include <string>

#include "tradewind/link/backoff.hpp"
#include "tradewind/link/broker_link.hpp"
#include "tradewind/link/protocol.hpp"
#include "tradewind/link/tls.hpp"

namespace tradewind {

class TradeStream {
 public:
  // How the first attempt ended: null once the stream is listening.
  using OnFirst = std::function<void(std::exception_ptr)>;

  TradeStream(boost::asio::any_io_executor executor, const BrokerConfig& config, const TlsContext* tls,
              BrokerEventSink& sink, OnFirst on_first);
  void launch();  // I/O thread

 private:
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> session();
  template <typename Stream>
  boost::asio::awaitable<void> converse(Stream& stream);
  // True when the broker accepted the credentials and waits for what we listen to.
  [[nodiscard]] bool handle(std::string_view frame);
  void tell_first(std::exception_ptr failure);

  boost::asio::any_io_executor executor_;
  BrokerConfig config_;
  std::string url_;
  Endpoint endpoint_;
  const TlsContext* tls_;
  BrokerEventSink& sink_;
  OnFirst on_first_;
  bool up_ = false;
};

}  // namespace tradewind
