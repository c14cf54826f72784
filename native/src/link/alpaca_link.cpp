// Shell: see alpaca_link.hpp.
#include "tradewind/link/alpaca_link.hpp"

#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "tradewind/link/protocol.hpp"
#include "tradewind/link/rest_pool.hpp"
#include "tradewind/link/trade_stream.hpp"

namespace tradewind {

namespace asio = boost::asio;

struct AlpacaLink::Impl {
  Impl(BrokerConfig given, BrokerEventSink& sink)
      : config((check(given), std::move(given))),
        endpoint(parse_endpoint(config.url, "broker.url", false)),
        tls(needs_tls() ? std::make_unique<TlsContext>(config.ca_file) : nullptr),
        pool(context.get_executor(), config, endpoint, endpoint.secure ? tls.get() : nullptr, sink),
        stream(context.get_executor(), config, tls.get(), sink,
               [this](std::exception_ptr failure) { settle(std::move(failure)); }) {}

  [[nodiscard]] bool needs_tls() const {
    return endpoint.secure || parse_endpoint(stream_url_of(config), "broker.stream_url", true).secure;
  }
  void settle(std::exception_ptr failure) {
    if (failure) {
      listening.set_exception(std::move(failure));
    } else {
      listening.set_value();
    }
  }
  void check_account();

  BrokerConfig config;
  Endpoint endpoint;
  std::unique_ptr<TlsContext> tls;
  std::promise<void> listening;
  asio::io_context context{1};
  RestPool pool;
  TradeStream stream;
  std::thread thread;
};

namespace {

struct AccountAnswer {
  RestConnection::Answer answer;
  bool answered = false;
  std::string failure;
};

asio::awaitable<void> ask_account(RestConnection& connection, std::string_view bytes, std::chrono::milliseconds timeout,
                                  AccountAnswer& result) {
  try {
    co_await connection.open(timeout);
    if (!connection.try_write(Call{}, bytes, 0)) co_return;
    const RestConnection::OnAnswer handler = [&](const Call&, const RestConnection::Answer& answer) {
      result.answer = answer;
      result.answered = true;
      connection.close();
    };
    co_await connection.read_answers(handler);
  } catch (const LinkError& error) {
    result.failure = error.what();
  } catch (const boost::system::system_error& error) {
    result.failure = error.code().message();
  }
}

}  // namespace

// Asked on a context of its own before the I/O thread exists: one question, one answer, one clear error.
void AlpacaLink::Impl::check_account() {
  asio::io_context once{1};
  RestConnection connection(once.get_executor(), endpoint, endpoint.secure ? tls.get() : nullptr);
  const RequestBytes requests(endpoint, config.key_id, config.secret);
  RequestBuffer buffer;
  AccountAnswer result;
  const std::string_view bytes = requests.write_get("/v2/account", buffer);
  asio::co_spawn(once, ask_account(connection, bytes, config.timeout, result), asio::detached);
  once.run_for(config.timeout);
  if (!result.answered) {
    const std::string why =
        !result.failure.empty() ? result.failure : "no answer within " + std::to_string(config.timeout.count()) + " ms";
    throw LinkError("cannot reach the broker at " + config.url + ": " + why);
  }
  const int status = result.answer.status;
  if (status == 401 || status == 403) {
    throw LinkError("the broker at " + config.url + " refused the credentials (" + std::to_string(status) +
                    "): check APCA_API_KEY_ID and APCA_API_SECRET_KEY");
  }
  BrokerEvent account;
  if (status != 200 || parse_account(result.answer.body, account) != ParseResult::kOk) {
    throw LinkError("the broker at " + config.url + " answered GET /v2/account with status " + std::to_string(status) +
                    " and no account that can be read: check broker.url");
  }
}

AlpacaLink::AlpacaLink(BrokerConfig config, BrokerEventSink& sink)
    : impl_(std::make_unique<Impl>(std::move(config), sink)) {}

// Where the thread cannot be told to end, for want of memory, the process must.
AlpacaLink::~AlpacaLink() { stop(); }  // NOLINT(bugprone-exception-escape)

void AlpacaLink::start() {
  if (!impl_) throw LinkError("the link to the broker was stopped: make a new executor");
  impl_->check_account();
  impl_->pool.launch();
  impl_->stream.launch();
  impl_->thread = std::thread([this] {
    pthread_setname_np(pthread_self(), "tw-link");
    const auto work = asio::make_work_guard(impl_->context);
    impl_->context.run();
  });
  auto listening = impl_->listening.get_future();
  try {
    if (listening.wait_for(2 * impl_->config.timeout) != std::future_status::ready) {
      throw LinkError("cannot listen to trade_updates at " + stream_url_of(impl_->config) + ": no answer within " +
                      std::to_string(2 * impl_->config.timeout.count()) + " ms");
    }
    listening.get();
  } catch (...) {
    stop();
    throw;
  }
}

void AlpacaLink::stop() {
  if (!impl_) return;
  if (impl_->thread.joinable()) {
    asio::post(impl_->context, [this] {
      impl_->pool.close();
      impl_->context.stop();
    });
    impl_->thread.join();
  }
  impl_.reset();  // the sockets close here, and the broker sees it
}

SendStamps AlpacaLink::send(const BrokerRequest& request) { return impl_->pool.send(request); }

}  // namespace tradewind
