// The engine's step and the link's send allocate nothing in steady state, and OpenSSL under the send keeps nothing:
// counted with an operator new of our own, and with memory functions of our own for OpenSSL.
#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

#include "engine_fixture.hpp"
#include "link_venue.hpp"
#include "tradewind/link/alpaca_link.hpp"

namespace {
thread_local bool counting = false;
thread_local std::size_t allocations = 0;
thread_local std::size_t tls_allocations = 0;
thread_local std::size_t tls_frees = 0;

void* tls_malloc(std::size_t size, const char*, int) {
  if (counting) ++tls_allocations;
  return std::malloc(size);
}
void* tls_realloc(void* p, std::size_t size, const char*, int) {
  if (counting) ++tls_allocations;
  return std::realloc(p, size);
}
void tls_free(void* p, const char*, int) {
  if (counting && p != nullptr) ++tls_frees;
  std::free(p);
}
// OpenSSL takes them only before its first allocation, hence before main().
const bool tls_counted = CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free) == 1;

void* counted_or_null(std::size_t size) {
  if (counting) ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void* counted(std::size_t size) {
  void* p = counted_or_null(size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_or_null(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace tradewind::testing {
namespace {

TEST(Allocation, StepsAllocateNothing) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a", "b"});
  config.overrides = {{FixedString<32>("max_position_pct"), 500'000, kStart + 15'000 * kSecond, FixedString<48>("ada"),
                       FixedString<96>("a reason that is longer than a short string")}};
  config.limits.max_value_at_risk = config.limits.max_volatility = config.limits.max_group = kRatioScale;
  config.max_orders = 32;
  config.max_intents = 64;
  Desk d(config);
  std::size_t steps = 0;
  const auto step = [&](const auto& body) {
    Input input;
    input.now = d.now;
    input.body = body;
    counting = true;
    d.engine.step(input, d.outputs);
    counting = false;
    ++steps;
    return d.outputs.requests;
  };
  const auto pump = [&](const auto& body) {
    std::deque<BrokerEvent> queue;
    const auto ask = [&](const std::vector<BrokerRequest>& requests) {
      for (const auto& r : requests) {
        for (const auto& e : d.answer(r)) queue.push_back(e);
      }
    };
    ask(step(body));
    while (!queue.empty()) {
      const BrokerEvent e = queue.front();
      queue.pop_front();
      ask(step(e));
    }
  };
  {
    counting = true;
    auto* probe = new int(1);
    counting = false;
    delete probe;
  }
  ASSERT_EQ(allocations, 1u);  // the counter counts
  allocations = 0;

  BrokerEvent up;
  up.kind = BrokerEventKind::kLinkUp;
  Control flush, halt, resume;
  flush.kind = ControlKind::kFlush;
  halt.kind = ControlKind::kHalt;
  halt.flatten = true;
  resume.kind = ControlKind::kResume;
  resume.issued_by = ShortText("ada");
  pump(up);
  for (int round = 0; round < 300; ++round) {  // pools wrap around many times
    d.now += 100 * kSecond;
    pump(SessionUpdate{d.now, d.now + kSecond, d.now + 2 * kSecond});
    for (const char* s : {"AAA", "IBM"}) {
      RiskEstimate row;
      row.symbol = Symbol(s);
      row.group = Symbol("AAA");
      row.time = d.now;
      row.first = s[0] == 'A';
      row.last = !row.first;
      row.count = 40;
      for (std::size_t t = 0; t < row.count; ++t)
        row.returns[t] = static_cast<std::int32_t>((t + static_cast<std::size_t>(round)) % 7 * 1000) - 3000;
      pump(row);
    }
    for (const char* s : {"AAA", "IBM"}) {
      const BarUpdate b = Desk::bar_of(s, d.now, 100 + round % 7, 100);
      std::vector<BrokerEvent> stream;
      d.broker.trade(b, stream);
      for (const auto& e : stream) pump(e);
      pump(b);
      Intent sliced = d.intent_of("a", s, round % 5 * 10 - 20);
      sliced.plan.algorithm = static_cast<Algorithm>(round % 7);
      sliced.plan.interval = 50 * kSecond;
      sliced.plan.duration = 300 * kSecond;
      sliced.plan.participation = 500'000;
      pump(sliced);
      pump(d.intent_of("b", s, round % 3 * 10 - 10));
    }
    pump(flush);
    if (round % 50 == 49) pump(up);
    if (round % 100 == 60) pump(halt);
    if (round % 100 == 70) pump(resume);
  }
  EXPECT_GT(d.engine.counts().orders, 200u);
  EXPECT_GT(steps, 2000u);
  EXPECT_EQ(allocations, 0u);
}

TEST(Allocation, SendingAnOrderAllocatesNothing) {
  ASSERT_TRUE(tls_counted);
  EventLog log;
  Venue venue({}, empty_books([](const VenueRequest& request) {
                const std::string key = R"("client_order_id":")";
                const std::size_t at = request.body.find(key) + key.size();
                return VenueReply{200, order_json(request.body.substr(at, request.body.find('"', at) - at), "new")};
              }));
  BrokerConfig config = venue.config();
  config.requests_per_minute = 0;
  AlpacaLink link(config, log);
  link.start();
  BrokerRequest order;
  order.kind = RequestKind::kSubmit;
  order.symbol = Symbol("AAPL");
  order.side = Side::kBuy;
  order.order_type = OrderType::kLimit;
  order.time_in_force = TimeInForce::kDay;
  const auto send = [&](std::size_t number) {
    order.request_id = number;
    order.client_order_id = ClientOrderId("tw-" + std::to_string(number));
    order.quantity = shares(static_cast<std::int64_t>(number));
    order.limit_price = dollars(100 + static_cast<double>(number) / 100);
    counting = true;
    const SendStamps stamps = link.send(order);
    counting = false;
    log.wait_for(BrokerEventKind::kSubmitAccepted, number);
    return stamps.written != 0;  // by this thread, not by the link's
  };
  constexpr std::size_t kWarm = 10, kSteady = 200;
  for (std::size_t i = 1; i <= kWarm; ++i) send(i);  // the template of the order, TLS buffers
  allocations = tls_allocations = tls_frees = 0;
  std::size_t direct = 0;
  for (std::size_t i = kWarm + 1; i <= kWarm + kSteady; ++i) direct += send(i) ? 1 : 0;
  EXPECT_GT(direct, kSteady / 2);
  EXPECT_EQ(allocations, 0u);
  // Ours: none. OpenSSL 3.0 writes a record with three bookkeeping blocks (WPACKET_SUB) that it frees within the call.
  EXPECT_LE(tls_allocations, 3 * kSteady);
  EXPECT_EQ(tls_frees, tls_allocations);
}

}  // namespace
}  // namespace tradewind::testing
