// Shell: the tests' broker (see link_venue.hpp), and what a link must make of its certificate.
#include "link_venue.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "tradewind/link/alpaca_link.hpp"

namespace tradewind::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;

namespace {

struct Certificate {
  std::string certificate, key;  // PEM
};

template <typename Write>
std::string to_pem(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

Certificate make_certificate(const std::string& host) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x = X509_new();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 86'400);
  X509_set_pubkey(x, key);
  X509_NAME* name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test venue"), -1, -1, 0);
  X509_set_issuer_name(x, name);
  const bool address = host.find_first_not_of("0123456789.") == std::string::npos;
  const std::string names = (address ? "IP:" : "DNS:") + host;
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(x, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(x, key, EVP_sha256());
  Certificate made{to_pem([&](BIO* bio) { PEM_write_bio_X509(bio, x); }), to_pem([&](BIO* bio) {
                     PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                   })};
  X509_free(x);
  EVP_PKEY_free(key);
  return made;
}

// What a test may do with a listening stream, whichever transport it runs on.
struct Subscriber {
  virtual ~Subscriber() = default;
  virtual asio::awaitable<void> push(const std::string& frame, bool binary, std::size_t pieces) = 0;
  virtual void drop() = 0;
};

template <typename Stream>
struct StreamSubscriber final : Subscriber {
  explicit StreamSubscriber(websocket::stream<Stream>& s) : stream(s) {}
  // One message at a time: the answer to a request and what a test pushes meet here, and a WebSocket takes one writer.
  asio::awaitable<void> push(const std::string& frame, bool binary, std::size_t pieces) override {
    co_await writer.async_send(boost::system::error_code{}, asio::use_awaitable);
    const std::shared_ptr<void> release(nullptr, [this](void*) { writer.try_receive([](auto&&...) {}); });
    stream.binary(binary);
    const std::size_t size = frame.size() / pieces;
    for (std::size_t i = 0; i < pieces; ++i) {
      const bool last = i + 1 == pieces;
      const auto part = asio::buffer(frame.data() + i * size, last ? frame.size() - i * size : size);
      co_await stream.async_write_some(last, part, asio::use_awaitable);
    }
  }
  void drop() override { beast::get_lowest_layer(stream).socket().close(); }
  websocket::stream<Stream>& stream;
  asio::experimental::channel<void(boost::system::error_code)> writer{stream.get_executor(), 1};
};

}  // namespace

struct Venue::Impl {
  Impl(Options o, Handler h)
      : options(std::move(o)),
        handler(std::move(h)),
        tls(asio::ssl::context::tls_server),
        acceptor(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    const Certificate made = make_certificate(options.certificate_host);
    tls.use_certificate_chain(asio::buffer(made.certificate));
    tls.use_private_key(asio::buffer(made.key), asio::ssl::context::pem);
    std::ostringstream file;
    file << "tradewind-link-" << ::getpid() << '-' << acceptor.local_endpoint().port() << ".pem";
    ca_file = std::filesystem::temp_directory_path() / file.str();
    std::ofstream(ca_file) << made.certificate;
    asio::co_spawn(context, accept(), asio::detached);
    thread = std::thread([this] { context.run(); });
  }

  asio::awaitable<void> accept() {
    for (;;) {
      tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
      socket.set_option(tcp::no_delay(true));
      {
        const std::scoped_lock lock(mutex);
        ++connections;
      }
      asio::co_spawn(context, serve_connection(beast::tcp_stream(std::move(socket))), [](const std::exception_ptr&) {});
    }
  }

  asio::awaitable<void> serve_connection(beast::tcp_stream stream) {
    if (!options.secure) {
      co_await serve(stream);
      co_return;
    }
    asio::ssl::stream<beast::tcp_stream> secure(std::move(stream), tls);
    co_await secure.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
    co_await serve(secure);
  }

  template <typename Stream>
  asio::awaitable<void> serve(Stream& stream) {
    beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> request;
      co_await http::async_read(stream, buffer, request, asio::use_awaitable);
      if (websocket::is_upgrade(request)) {
        websocket::stream<Stream> socket(std::move(stream));
        co_await socket.async_accept(request, asio::use_awaitable);
        co_await serve_stream(socket);
        co_return;
      }
      if (!co_await answer(stream, request)) co_return;
    }
  }

  VenueReply decide(const http::request<http::string_body>& request) {
    const VenueRequest seen{std::string(request.method_string()), std::string(request.target()), request.body(),
                            std::string(request["APCA-API-KEY-ID"])};
    {
      const std::scoped_lock lock(mutex);
      seen_requests.push_back(seen);
    }
    return seen.key_id == options.key_id ? handler(seen) : VenueReply{401, R"({"message":"unauthorized."})"};
  }

  // Parameters are references and temporaries have names: g++ 12 destroys those of a co_await expression twice.
  template <typename Stream>
  asio::awaitable<bool> answer(Stream& stream, const http::request<http::string_body>& request) {
    const VenueReply reply = decide(request);
    using Way = VenueReply::Way;
    if (reply.way == Way::kHangUp) co_return false;
    if (reply.way == Way::kSilence) {
      asio::steady_timer forever(context, std::chrono::hours(1));
      co_await forever.async_wait(asio::use_awaitable);
    }
    http::response<http::string_body> response(static_cast<http::status>(reply.status), 11, reply.body);
    response.keep_alive(reply.way != Way::kLastOne);
    for (const auto& [name, value] : reply.headers) response.set(name, value);
    if (reply.status != 204) response.prepare_payload();
    std::ostringstream text;
    text << response;
    const std::string whole = text.str();
    const std::size_t size = reply.way == Way::kHalf ? whole.size() / 2 : whole.size();
    co_await asio::async_write(stream, asio::buffer(whole.data(), size), asio::use_awaitable);
    co_return reply.way == Way::kWhole;
  }

  [[nodiscard]] std::string authorization(const std::string& text) const {
    const bool good = text.find("\"" + options.key_id + "\"") != std::string::npos;
    return std::string(R"({"stream":"authorization","data":{"status":")") + (good ? "" : "un") +
           R"(authorized","action":"authenticate"}})";
  }
  [[nodiscard]] std::string listening() const {
    return R"({"stream":"listening","data":{"streams":["trade_updates"],"event_id":)" +
           std::to_string(options.listening_event_id) + "}}";
  }

  template <typename Stream>
  asio::awaitable<void> serve_stream(websocket::stream<Stream>& stream) {
    if (refusing) co_return;
    auto subscriber = std::make_shared<StreamSubscriber<Stream>>(stream);
    try {
      for (;;) {
        beast::flat_buffer buffer;
        co_await stream.async_read(buffer, asio::use_awaitable);
        const std::string text = beast::buffers_to_string(buffer.data());
        const bool authenticate = text.find(R"("action":"authenticate")") != std::string::npos;
        const std::string reply = authenticate ? authorization(text) : listening();
        if (!authenticate) subscribers.insert(subscriber);
        co_await subscriber->push(reply, true, 1);
      }
    } catch (const std::exception&) {
      // Gone: by the client, or dropped.
    }
    subscribers.erase(subscriber);
  }

  asio::awaitable<void> push_all(const std::string& frame, bool binary, std::size_t pieces) {
    const auto now = subscribers;
    for (const auto& subscriber : now) co_await subscriber->push(frame, binary, pieces);
  }

  Options options;
  Handler handler;
  asio::io_context context{1};
  asio::ssl::context tls;
  tcp::acceptor acceptor;
  std::filesystem::path ca_file;
  bool refusing = false;                              // venue's thread
  std::set<std::shared_ptr<Subscriber>> subscribers;  // venue's thread
  mutable std::mutex mutex;
  std::vector<VenueRequest> seen_requests;
  std::size_t connections = 0;
  std::thread thread;
};

Venue::Venue(Options options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}

Venue::~Venue() {
  impl_->context.stop();
  impl_->thread.join();
  std::filesystem::remove(impl_->ca_file);
}

BrokerConfig Venue::config() const {
  const std::string authority = "127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port());
  BrokerConfig config;
  config.url = (impl_->options.secure ? "https://" : "http://") + authority;
  config.key_id = impl_->options.key_id;
  config.secret = "s3cret";
  config.ca_file = impl_->ca_file;
  config.requests_per_minute = 0;
  config.timeout = std::chrono::milliseconds(2'000);
  return config;
}

std::vector<VenueRequest> Venue::requests() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->seen_requests;
}

std::size_t Venue::connections_seen() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->connections;
}

void Venue::push(const std::string& frame, bool binary, std::size_t pieces) {
  asio::co_spawn(impl_->context, impl_->push_all(frame, binary, pieces), asio::use_future).get();
}

void Venue::drop_streams() {
  asio::post(impl_->context, asio::use_future([this] {
               for (const auto& subscriber : impl_->subscribers) subscriber->drop();
             }))
      .get();
}

void Venue::refuse_streams(bool refuse) {
  asio::post(impl_->context, asio::use_future([this, refuse] { impl_->refusing = refuse; })).get();
}

void EventLog::deliver(const BrokerEvent& event) {
  const std::scoped_lock lock(mutex_);
  events_.push_back(event);
  changed_.notify_all();
}

void EventLog::written(std::uint64_t request_id, const SendStamps& stamps) {
  EXPECT_GT(stamps.encoded, 0);
  EXPECT_GE(stamps.written, stamps.encoded);
  const std::scoped_lock lock(mutex_);
  written_late_.push_back(request_id);
}

BrokerEvent EventLog::wait_for(BrokerEventKind kind, std::size_t count) {
  std::unique_lock lock(mutex_);
  BrokerEvent last;
  const bool came = changed_.wait_for(lock, std::chrono::seconds(10), [&] {
    std::size_t seen = 0;
    for (const BrokerEvent& event : events_) {
      if (event.kind == kind && ++seen == count) last = event;
    }
    return seen >= count;
  });
  EXPECT_TRUE(came) << "no event of kind " << static_cast<int>(kind);
  return last;
}

std::size_t EventLog::count(BrokerEventKind kind) const {
  const std::scoped_lock lock(mutex_);
  std::size_t seen = 0;
  for (const BrokerEvent& event : events_) seen += event.kind == kind ? 1 : 0;
  return seen;
}

std::vector<BrokerEvent> EventLog::all() const {
  const std::scoped_lock lock(mutex_);
  return events_;
}

std::vector<std::uint64_t> EventLog::written_late() const {
  const std::scoped_lock lock(mutex_);
  return written_late_;
}

std::string order_json(const std::string& client_order_id, const std::string& status, const std::string& filled) {
  return R"({"id":"6f1d5a2e-0000-4000-8000-000000000001","client_order_id":")" + client_order_id +
         R"(","created_at":"2024-01-02T15:04:05.5Z","submitted_at":"2024-01-02T15:04:05.5Z","symbol":"AAPL","qty":"10",)" +
         R"("filled_qty":")" + filled + R"(","filled_avg_price":)" + (filled == "0" ? "null" : R"("190.255")") +
         R"(,"side":"buy","type":"limit","limit_price":"190.5","status":")" + status + R"(","legs":null})";
}

Venue::Handler empty_books(Venue::Handler rest) {
  return [rest = std::move(rest)](const VenueRequest& request) -> VenueReply {
    if (request.method == "GET" && request.target == "/v2/account") return {200, kAccountJson};
    if (request.method == "GET" && request.target == "/v2/positions") return {200, "[]"};
    if (request.method == "GET" && request.target.starts_with("/v2/orders?")) return {200, "[]"};
    return rest(request);
  };
}

namespace {

VenueReply nothing_more(const VenueRequest&) { return {404, "{}"}; }

std::string start_error(const BrokerConfig& config) {
  EventLog log;
  try {
    AlpacaLink link(config, log);
    link.start();
  } catch (const LinkError& error) {
    return error.what();
  }
  return "";
}

TEST(LinkTrust, AcceptsTheVenueWhoseCertificateItTrusts) {
  Venue venue({}, empty_books(nothing_more));
  EXPECT_EQ(start_error(venue.config()), "");
}

TEST(LinkTrust, RefusesACertificateOfAnotherHost) {
  Venue venue({.certificate_host = "127.0.0.2"}, empty_books(nothing_more));
  const std::string error = start_error(venue.config());
  EXPECT_NE(error.find("certificate is not trusted"), std::string::npos) << error;
  EXPECT_TRUE(venue.requests().empty()) << "credentials went to a stranger";
}

TEST(LinkTrust, RefusesACertificateThatNobodyVouchesFor) {
  Venue venue({}, empty_books(nothing_more)), other({}, empty_books(nothing_more));
  BrokerConfig config = venue.config();
  config.ca_file = other.config().ca_file;
  const std::string error = start_error(config);
  EXPECT_NE(error.find("certificate is not trusted"), std::string::npos) << error;
  EXPECT_TRUE(venue.requests().empty());
}

TEST(LinkTrust, NamesACaFileThatCannotBeRead) {
  Venue venue({}, empty_books(nothing_more));
  BrokerConfig config = venue.config();
  config.ca_file = "/nonexistent/ca.pem";
  EXPECT_NE(start_error(config).find("broker.ca_file"), std::string::npos);
}

}  // namespace

}  // namespace tradewind::testing
