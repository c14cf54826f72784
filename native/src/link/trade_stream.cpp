// Shell: see trade_stream.hpp.
#include "tradewind/link/trade_stream.hpp"

#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

namespace tradewind {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMaxFrame = 1U << 20;
constexpr std::chrono::seconds kSilence{20};  // half of it passes, a ping goes out; all of it, the stream is lost

[[nodiscard]] asio::ssl::context share(const TlsContext& tls) {
  SSL_CTX_up_ref(tls.native());
  return asio::ssl::context(tls.native());
}

}  // namespace

TradeStream::TradeStream(asio::any_io_executor executor, const BrokerConfig& config, const TlsContext* tls,
                         BrokerEventSink& sink, OnFirst on_first)
    : executor_(std::move(executor)),
      config_(config),
      url_(stream_url_of(config)),
      endpoint_(parse_endpoint(url_, "broker.stream_url", true)),
      tls_(tls),
      sink_(sink),
      on_first_(std::move(on_first)) {}

void TradeStream::launch() { asio::co_spawn(executor_, run(), asio::detached); }

void TradeStream::tell_first(std::exception_ptr failure) {
  if (on_first_) std::exchange(on_first_, nullptr)(std::move(failure));
}

asio::awaitable<void> TradeStream::run() {
  Backoff backoff(milliseconds(50), milliseconds(5'000));
  asio::steady_timer timer(executor_);
  for (;;) {
    std::string why;
    try {
      co_await session();
    } catch (const LinkError& error) {
      why = error.what();
    } catch (const boost::system::system_error& error) {
      why = "cannot listen to trade_updates at " + url_ + ": " + error.code().message();
    }
    if (up_) {
      backoff.reset();
      up_ = false;
      BrokerEvent event;
      event.kind = BrokerEventKind::kLinkDown;
      event.text.assign(std::string_view(why).substr(0, 200));
      sink_.deliver(event);
    }
    tell_first(std::make_exception_ptr(LinkError(why)));
    timer.expires_after(backoff.next());
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> TradeStream::session() {
  asio::ip::tcp::resolver resolver(executor_);
  const auto addresses = co_await resolver.async_resolve(endpoint_.host, endpoint_.port, asio::use_awaitable);
  beast::tcp_stream tcp(executor_);
  tcp.expires_after(config_.timeout);
  co_await tcp.async_connect(addresses, asio::use_awaitable);
  tcp.socket().set_option(asio::ip::tcp::no_delay(true));
  if (!endpoint_.secure) {
    tcp.expires_never();
    websocket::stream<beast::tcp_stream> stream(std::move(tcp));
    co_await converse(stream);
    co_return;
  }
  auto context = share(*tls_);
  asio::ssl::stream<beast::tcp_stream> secure(std::move(tcp), context);
  expect_host(secure.native_handle(), endpoint_.host);
  beast::get_lowest_layer(secure).expires_after(config_.timeout);
  co_await secure.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  beast::get_lowest_layer(secure).expires_never();
  websocket::stream<asio::ssl::stream<beast::tcp_stream>> stream(std::move(secure));
  co_await converse(stream);
}

template <typename Stream>
asio::awaitable<void> TradeStream::converse(Stream& stream) {
  stream.set_option(websocket::stream_base::timeout{config_.timeout, kSilence, true});
  stream.read_message_max(kMaxFrame);
  const std::string authority = endpoint_.authority();
  const std::string path = endpoint_.path.empty() ? "/" : endpoint_.path;
  co_await stream.async_handshake(authority, path, asio::use_awaitable);
  const std::string authenticate = authenticate_message(config_.key_id, config_.secret);
  const std::string listen = listen_message();
  co_await stream.async_write(asio::buffer(authenticate), asio::use_awaitable);
  beast::flat_buffer buffer;
  for (;;) {
    co_await stream.async_read(buffer, asio::use_awaitable);
    const auto bytes = buffer.cdata();
    const bool authorized = handle({static_cast<const char*>(bytes.data()), bytes.size()});
    buffer.consume(buffer.size());
    if (authorized) co_await stream.async_write(asio::buffer(listen), asio::use_awaitable);
  }
}

bool TradeStream::handle(std::string_view frame) {
  StreamMessage message;
  // A frame that cannot be read may have been a fill: only a fresh snapshot can tell, and that follows a new
  // connection.
  if (parse_stream_message(frame, message) == ParseResult::kMalformed) {
    throw LinkError("a frame of trade_updates at " + url_ + " cannot be read");
  }
  switch (message.kind) {
    case StreamMessage::Kind::kAuthorized:
      return true;
    case StreamMessage::Kind::kUnauthorized:
      throw LinkError("the broker at " + url_ +
                      " refused the credentials: check APCA_API_KEY_ID and APCA_API_SECRET_KEY");
    case StreamMessage::Kind::kListening: {
      up_ = true;
      BrokerEvent event;
      event.kind = BrokerEventKind::kLinkUp;
      event.stream_id = message.event_id;
      sink_.deliver(event);
      tell_first(nullptr);
      return false;
    }
    case StreamMessage::Kind::kTradeUpdate:
      if (message.event.kind == BrokerEventKind::kTradeUpdate && !message.event.order.broker_order_id.empty()) {
        sink_.deliver(message.event);
      }
      return false;
    case StreamMessage::Kind::kOther:
      return false;
  }
  return false;
}

}  // namespace tradewind
