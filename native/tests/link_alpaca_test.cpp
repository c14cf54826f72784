// The Alpaca link against a broker that answers, refuses, hangs up and falls silent.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "link_venue.hpp"
#include "tradewind/link/alpaca_link.hpp"
#include "tradewind/link/protocol.hpp"

namespace tradewind::testing {
namespace {

using Kind = BrokerEventKind;
using Way = VenueReply::Way;

BrokerRequest submit(std::uint64_t id, const std::string& client_order_id) {
  BrokerRequest request;
  request.kind = RequestKind::kSubmit;
  request.request_id = id;
  request.client_order_id.assign(client_order_id);
  request.symbol.assign("AAPL");
  request.side = Side::kBuy;
  request.order_type = OrderType::kLimit;
  request.time_in_force = TimeInForce::kDay;
  request.quantity.raw = 10'500'000'000;
  request.limit_price.raw = 19'050'000'000;
  return request;
}

BrokerRequest other(RequestKind kind, std::uint64_t id, const std::string& name) {
  BrokerRequest request;
  request.kind = kind;
  request.request_id = id;
  request.client_order_id.assign(name);
  request.broker_order_id.assign(name);
  return request;
}

std::string id_in(const VenueRequest& request) {
  const std::string key = R"("client_order_id":")";
  const std::size_t at = request.body.find(key);
  return at == std::string::npos
             ? ""
             : request.body.substr(at + key.size(), request.body.find('"', at + key.size()) - at - key.size());
}

std::size_t posts(const Venue& venue) {
  std::size_t count = 0;
  for (const VenueRequest& request : venue.requests()) count += request.method == "POST" ? 1 : 0;
  return count;
}

// A link to a venue that answers POSTs (and whatever is not account, positions or orders) with `handler`.
struct Fixture {
  explicit Fixture(Venue::Handler handler, const std::function<void(BrokerConfig&)>& adjust = {},
                   Venue::Options options = {})
      : venue(std::move(options), empty_books(std::move(handler))), link(adjusted(adjust), log) {
    link.start();
  }
  BrokerConfig adjusted(const std::function<void(BrokerConfig&)>& adjust) {
    BrokerConfig config = venue.config();
    if (adjust) adjust(config);
    return config;
  }
  EventLog log;
  Venue venue;
  AlpacaLink link;
};

VenueReply accept_order(const VenueRequest& request) { return {200, order_json(id_in(request), "pending_new")}; }

TEST(AlpacaLink, AnAcceptedOrderCarriesTheBrokersView) {
  Fixture f(accept_order);
  f.link.send(submit(7, "intent-1"));
  const BrokerEvent event = f.log.wait_for(Kind::kSubmitAccepted);
  EXPECT_EQ(event.request_id, 7U);
  EXPECT_EQ(event.order.client_order_id.view(), "intent-1");
  EXPECT_EQ(event.order.state, OrderState::kAccepted);
  EXPECT_EQ(event.order.quantity.raw, 10'000'000'000);
  const VenueRequest seen = f.venue.requests().back();
  EXPECT_EQ(seen.target, "/v2/orders");
  EXPECT_NE(seen.body.find(R"("qty":"10.5")"), std::string::npos) << seen.body;
  EXPECT_NE(seen.body.find(R"("limit_price":"190.5")"), std::string::npos) << seen.body;
}

TEST(AlpacaLink, WorksWithoutTlsOnThisMachine) {
  Fixture f(accept_order, {}, {.secure = false});
  f.link.send(submit(1, "plain"));
  EXPECT_EQ(f.log.wait_for(Kind::kSubmitAccepted).order.client_order_id.view(), "plain");
}

TEST(AlpacaLink, EveryRequestOfABurstIsAnsweredOnceOverFewConnections) {
  Fixture f(accept_order, [](BrokerConfig& config) { config.connections = 2; });
  std::vector<std::uint64_t> waited;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    if (f.link.send(submit(i, "burst-" + std::to_string(i))).written == 0) waited.push_back(i);
  }
  f.log.wait_for(Kind::kSubmitAccepted, 300);
  std::set<std::uint64_t> answered;
  for (const BrokerEvent& event : f.log.all()) {
    if (event.kind != Kind::kSubmitAccepted) continue;
    EXPECT_EQ(event.order.client_order_id.str(), "burst-" + std::to_string(event.request_id));
    answered.insert(event.request_id);
  }
  EXPECT_EQ(answered.size(), 300U);
  EXPECT_EQ(posts(f.venue), 300U);
  EXPECT_FALSE(waited.empty());
  EXPECT_EQ(f.log.written_late(), waited) << "what could not be written at once is told when it was, in its order";
  EXPECT_LE(f.venue.connections_seen(), 4U) << "connections must stay warm";  // probe, two for REST, the stream
}

TEST(AlpacaLink, ARefusedOrderCarriesCodeAndReason) {
  Fixture f([](const VenueRequest&) -> VenueReply {
    return {403, R"({"code":40310000,"message":"insufficient buying power","buying_power":"1"})"};
  });
  f.link.send(submit(1, "poor"));
  const BrokerEvent event = f.log.wait_for(Kind::kSubmitRejected);
  EXPECT_EQ(event.http_status, 403);
  EXPECT_EQ(event.code, 40310000);
  EXPECT_EQ(event.text.view(), "insufficient buying power");
  EXPECT_EQ(event.order.client_order_id.view(), "poor");
}

TEST(AlpacaLink, AUsedIdIsADuplicateNotARejection) {
  std::atomic<int> status{422};
  Fixture f([&](const VenueRequest&) -> VenueReply {
    return {status.load(), R"({"code":40010001,"message":"client_order_id must be unique"})"};
  });
  f.link.send(submit(1, "twice"));
  EXPECT_EQ(f.log.wait_for(Kind::kDuplicate).request_id, 1U);
  status = 409;
  f.link.send(submit(2, "twice"));
  EXPECT_EQ(f.log.wait_for(Kind::kDuplicate, 2).request_id, 2U);
  EXPECT_EQ(f.log.count(Kind::kSubmitRejected), 0U);
}

class LostAnswer : public ::testing::TestWithParam<VenueReply> {};

TEST_P(LostAnswer, LeavesAnOrderUnknownAndNeverSendsItAgain) {
  std::atomic<bool> lose{true};
  Fixture f(
      [&](const VenueRequest& request) -> VenueReply {
        return request.method == "POST" && lose ? GetParam() : accept_order(request);
      },
      [](BrokerConfig& config) { config.timeout = std::chrono::milliseconds(300); });
  f.link.send(submit(1, "lost"));
  EXPECT_EQ(f.log.wait_for(Kind::kSubmitUnknown).request_id, 1U);
  lose = false;
  f.link.send(submit(2, "next"));  // the link is usable afterwards
  EXPECT_EQ(f.log.wait_for(Kind::kSubmitAccepted).request_id, 2U);
  EXPECT_EQ(posts(f.venue), 2U);
}

INSTANTIATE_TEST_SUITE_P(Ways, LostAnswer,
                         ::testing::Values(VenueReply{200, "{}", Way::kSilence}, VenueReply{200, "{}", Way::kHangUp},
                                           VenueReply{200, order_json("lost", "new"), Way::kHalf},
                                           VenueReply{500, "{}"}, VenueReply{504, ""}, VenueReply{200, "not json"},
                                           VenueReply{200, order_json("another-order", "new")}));

TEST(AlpacaLink, ALookupTellsFoundFromMissingFromFailed) {
  std::map<std::string, VenueReply> replies{
      {"there", {200, order_json("there", "filled", "10")}},
      {"absent", {404, R"({"code":40410000,"message":"order not found for absent"})"}},
      {"proxy", {404, "<html>no such page</html>"}},
      {"down", {503, ""}},
  };
  Fixture f(
      [&](const VenueRequest& request) { return replies.at(request.target.substr(request.target.find('=') + 1)); });
  f.link.send(other(RequestKind::kLookup, 1, "there"));
  const BrokerEvent found = f.log.wait_for(Kind::kLookupFound);
  EXPECT_EQ(found.order.state, OrderState::kFilled);
  EXPECT_EQ(found.order.filled.raw, 10'000'000'000);
  EXPECT_EQ(found.order.filled_avg_price.raw, 19'025'500'000);
  f.link.send(other(RequestKind::kLookup, 2, "absent"));
  EXPECT_EQ(f.log.wait_for(Kind::kLookupMissing).request_id, 2U);
  f.link.send(other(RequestKind::kLookup, 3, "proxy"));
  EXPECT_EQ(f.log.wait_for(Kind::kLookupFailed, 1).request_id, 3U);
  f.link.send(other(RequestKind::kLookup, 4, "down"));
  EXPECT_EQ(f.log.wait_for(Kind::kLookupFailed, 2).request_id, 4U);
}

TEST(AlpacaLink, AQuestionOnADyingConnectionIsAskedAgain) {
  std::atomic<int> asked{0};
  Fixture f([&](const VenueRequest&) -> VenueReply {
    if (asked++ == 0) return {200, "", Way::kHangUp};
    return {200, order_json("again", "new")};
  });
  f.link.send(other(RequestKind::kLookup, 1, "again"));
  EXPECT_EQ(f.log.wait_for(Kind::kLookupFound).request_id, 1U);
  EXPECT_EQ(asked, 2);
}

TEST(AlpacaLink, CancelsAreAcceptedRefusedOrUnknown) {
  std::map<std::string, VenueReply> replies{
      {"ok", {204, ""}},
      {"done", {422, R"({"code":42210000,"message":"order is already in \"filled\" state"})"}},
      {"lost", {500, ""}},
  };
  Fixture f([&](const VenueRequest& request) {
    return replies.at(request.target.substr(std::string("/v2/orders/").size()));
  });
  f.link.send(other(RequestKind::kCancel, 1, "ok"));
  EXPECT_EQ(f.log.wait_for(Kind::kCancelAccepted).request_id, 1U);
  f.link.send(other(RequestKind::kCancel, 2, "done"));
  EXPECT_EQ(f.log.wait_for(Kind::kCancelRejected).text.view(), R"(order is already in "filled" state)");
  f.link.send(other(RequestKind::kCancel, 3, "lost"));
  EXPECT_EQ(f.log.wait_for(Kind::kCancelUnknown).request_id, 3U);
  EXPECT_EQ(f.venue.requests().back().method, "DELETE");
}

TEST(AlpacaLink, ARateLimitedOrderIsSentAgainUntilItIsTaken) {
  std::atomic<int> limited{2};
  Fixture f([&](const VenueRequest& request) -> VenueReply {
    if (limited-- > 0) return {429, R"({"code":42910000,"message":"rate limit exceeded"})"};
    return accept_order(request);
  });
  f.link.send(submit(1, "patient"));
  EXPECT_EQ(f.log.wait_for(Kind::kSubmitAccepted).request_id, 1U);
  EXPECT_EQ(posts(f.venue), 3U);
}

TEST(AlpacaLink, ARateLimitThatDoesNotClearEndsInARejection) {
  Fixture f([](const VenueRequest&) -> VenueReply { return {429, "{}"}; },
            [](BrokerConfig& config) { config.retry = std::chrono::milliseconds(250); });
  f.link.send(submit(1, "limited"));
  const BrokerEvent event = f.log.wait_for(Kind::kSubmitRejected);
  EXPECT_EQ(event.http_status, 429);
  EXPECT_EQ(event.code, kCodeRateLimited);
}

// As the broker says, in seconds or by the clock; cancels do not wait for it.
TEST(AlpacaLink, AfterARateLimitNewOrdersWaitAsLongAsTheBrokerSays) {
  using namespace std::chrono;
  for (const bool by_clock : {false, true}) {
    steady_clock::time_point refused, taken;
    std::atomic<int> asked{0};
    Fixture f([&](const VenueRequest& request) -> VenueReply {
      if (request.method == "DELETE") return {204, ""};
      const int number = ++asked;
      if (number == 2) taken = steady_clock::now();
      if (number > 1) return accept_order(request);
      refused = steady_clock::now();
      VenueReply no{429, R"({"code":42910000,"message":"rate limit exceeded"})"};
      const auto reset = floor<seconds>(system_clock::now().time_since_epoch()).count() + 3;
      if (by_clock)
        no.headers.emplace_back("X-RateLimit-Reset", std::to_string(reset));
      else
        no.headers.emplace_back("Retry-After", "2");
      return no;
    });
    f.link.send(submit(1, "first"));
    while (asked == 0) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(200));
    f.link.send(submit(2, "second"));
    f.link.send(other(RequestKind::kCancel, 3, "x"));
    f.log.wait_for(Kind::kSubmitAccepted, 2);
    EXPECT_GE(taken - refused, seconds(2) - milliseconds(1));
    std::vector<std::string> methods;
    for (const VenueRequest& request : f.venue.requests()) {
      if (request.method != "GET") methods.push_back(request.method);
    }
    EXPECT_EQ(methods, (std::vector<std::string>{"POST", "DELETE", "POST", "POST"}));
  }
}

TEST(AlpacaLink, ACancelPassesWhenTheBudgetForOrdersIsSpent) {
  Fixture f(
      [](const VenueRequest& request) -> VenueReply {
        return request.method == "DELETE" ? VenueReply{204, ""} : accept_order(request);
      },
      [](BrokerConfig& config) {
        config.requests_per_minute = 3;
        config.cancel_reserve = 1;
        config.retry = std::chrono::milliseconds(600);
      });
  for (std::uint64_t i = 1; i <= 3; ++i) f.link.send(submit(i, "b-" + std::to_string(i)));
  f.log.wait_for(Kind::kSubmitAccepted, 2);
  f.link.send(other(RequestKind::kCancel, 9, "x"));
  EXPECT_EQ(f.log.wait_for(Kind::kCancelAccepted).request_id, 9U);
  EXPECT_EQ(f.log.wait_for(Kind::kSubmitRejected).request_id, 3U) << "the third order found no budget";
}

TEST(AlpacaLink, ASnapshotTellsAccountPositionsAndEveryPageOfOrders) {
  std::vector<std::string> rows;
  for (int i = 0; i < 700; ++i) {
    std::string row = order_json("o-" + std::to_string(i), "filled", "10");
    const std::string time = "2024-01-02T15:04:05.5Z";  // several share a second; the page border falls among them
    char moved[40];
    std::snprintf(moved, sizeof moved, "2024-01-02T15:%02d:%02dZ", i / 180, i / 3 % 60);
    for (std::size_t at = row.find(time); at != std::string::npos; at = row.find(time))
      row.replace(at, time.size(), moved);
    rows.push_back(row);
  }
  const auto submitted = [](const std::string& row) { return row.substr(row.find(R"("submitted_at":")") + 16, 20); };
  Venue venue({}, [&](const VenueRequest& request) -> VenueReply {
    if (request.target == "/v2/account") return {200, kAccountJson};
    if (request.target == "/v2/positions") {
      return {200, R"([{"symbol":"AAPL","qty":"7","side":"short","avg_entry_price":"1.5"}])"};
    }
    const std::size_t at = request.target.find("&after=");
    const std::string after = at == std::string::npos ? "" : request.target.substr(at + 7, 19) + "Z";
    const bool fraction = at != std::string::npos && request.target.find(".999999999Z", at) != std::string::npos;
    std::string body;
    for (std::size_t i = 0, given = 0; i < rows.size() && given < 500; ++i) {
      if (!after.empty() && (submitted(rows[i]) < after || (submitted(rows[i]) == after && !fraction))) continue;
      if (fraction && submitted(rows[i]) == after) continue;
      body += (given++ == 0 ? "" : ",") + rows[i];
    }
    return {200, "[" + body + "]"};
  });
  EventLog log;
  AlpacaLink link(venue.config(), log);
  link.start();
  link.send(other(RequestKind::kSnapshot, 5, ""));
  EXPECT_EQ(log.wait_for(Kind::kSnapshotEnd).request_id, 5U);
  EXPECT_EQ(log.wait_for(Kind::kAccount).equity.raw, 200'025'000'000);
  const BrokerEvent position = log.wait_for(Kind::kPosition);
  EXPECT_EQ(position.position.raw, -7'000'000'000);
  std::set<std::string> seen;
  for (const BrokerEvent& event : log.all()) {
    if (event.kind == Kind::kSnapshotOrder) seen.insert(event.order.client_order_id.str());
  }
  EXPECT_EQ(seen.size(), 700U);
}

TEST(AlpacaLink, ASnapshotThatBreaksIsTold) {
  std::atomic<bool> broken{false};
  Venue venue({}, [&](const VenueRequest& request) -> VenueReply {
    if (request.target == "/v2/account") return {200, kAccountJson};
    if (broken) return {500, R"({"message":"oops"})"};
    return {200, "[]"};
  });
  EventLog log;
  AlpacaLink link(venue.config(), log);
  link.start();
  broken = true;
  link.send(other(RequestKind::kSnapshot, 5, ""));
  const BrokerEvent failed = log.wait_for(Kind::kSnapshotFailed);
  EXPECT_EQ(failed.request_id, 5U);
  EXPECT_EQ(failed.http_status, 500);
  EXPECT_EQ(log.count(Kind::kSnapshotEnd), 0U);
}

std::string fill_frame(int id) {
  return R"({"stream":"trade_updates","data":{"event":"partial_fill","event_id":)" + std::to_string(id) +
         R"(,"execution_id":"e-)" + std::to_string(id) +
         R"(","timestamp":"2024-01-02T15:04:06.25Z","price":"190.25","qty":"4","position_qty":"4","order":)" +
         order_json("streamed", "partially_filled", "4") + "}}";
}

TEST(AlpacaLink, TheStreamsFramesArriveWholeHoweverTheyAreCut) {
  Fixture f(accept_order, {}, {.listening_event_id = 41});
  EXPECT_EQ(f.log.wait_for(Kind::kLinkUp).stream_id, 41U);
  f.venue.push(fill_frame(42), true, 1);
  f.venue.push(fill_frame(43), false, 1);
  f.venue.push(fill_frame(44), true, 7);
  const BrokerEvent event = f.log.wait_for(Kind::kTradeUpdate, 3);
  EXPECT_EQ(event.stream_id, 44U);
  EXPECT_EQ(event.execution_id.view(), "e-44");
  EXPECT_EQ(event.execution_quantity.raw, 4'000'000'000);
  EXPECT_EQ(event.execution_price.raw, 19'025'000'000);
  EXPECT_EQ(event.broker_time, 1'704'207'846'250'000'000);  // date -u -d '2024-01-02T15:04:06' +%s
  EXPECT_EQ(event.order.state, OrderState::kPartiallyFilled);
}

TEST(AlpacaLink, ALostStreamIsToldAndComesBack) {
  Fixture f(accept_order);
  f.log.wait_for(Kind::kLinkUp);
  f.venue.refuse_streams(true);
  f.venue.drop_streams();
  f.log.wait_for(Kind::kLinkDown);
  EXPECT_EQ(f.log.count(Kind::kLinkUp), 1U);
  f.venue.refuse_streams(false);
  f.log.wait_for(Kind::kLinkUp, 2);
  f.venue.push(fill_frame(1));
  f.log.wait_for(Kind::kTradeUpdate);
  EXPECT_EQ(f.log.count(Kind::kLinkDown), 1U);
}

TEST(AlpacaLink, AnUnreadableFrameCountsAsALostStream) {
  Fixture f(accept_order);
  f.log.wait_for(Kind::kLinkUp);
  f.venue.push(R"({"stream":"trade_updates","data":{"event":"fill","order":{"id":)");
  f.log.wait_for(Kind::kLinkDown);
  f.log.wait_for(Kind::kLinkUp, 2);
}

TEST(AlpacaLink, ABrokerThatEndsEveryConnectionStillGetsEveryOrder) {
  Fixture f([](const VenueRequest& request) -> VenueReply {
    return {200, order_json(id_in(request), "new"), Way::kLastOne};
  });
  for (std::uint64_t i = 1; i <= 20; ++i) f.link.send(submit(i, "c-" + std::to_string(i)));
  f.log.wait_for(Kind::kSubmitAccepted, 20);
  EXPECT_EQ(posts(f.venue), 20U);
}

TEST(AlpacaLink, WhatTheWireCannotHoldIsRefusedWithoutBeingSent) {
  Fixture f(accept_order);
  BrokerRequest request = submit(1, "quote\"inside");
  f.link.send(request);
  EXPECT_EQ(f.log.wait_for(Kind::kSubmitRejected).http_status, 422);
  request = submit(2, "zero");
  request.quantity.raw = 0;
  f.link.send(request);
  f.log.wait_for(Kind::kSubmitRejected, 2);
  EXPECT_EQ(posts(f.venue), 0U);
}

std::string error_of(const BrokerConfig& config) {
  EventLog log;
  try {
    AlpacaLink link(config, log);
    link.start();
  } catch (const LinkError& error) {
    return error.what();
  }
  return "";
}

TEST(AlpacaLinkStart, WrongCredentialsAreNamedAndNotShown) {
  Venue venue({}, empty_books(accept_order));
  BrokerConfig config = venue.config();
  config.key_id = "wrong-key";
  const std::string error = error_of(config);
  EXPECT_EQ(error, "the broker at " + config.url +
                       " refused the credentials (401): check APCA_API_KEY_ID and APCA_API_SECRET_KEY");
}

TEST(AlpacaLinkStart, AnUnreachableBrokerIsNamed) {
  BrokerConfig config;
  {
    Venue venue({}, empty_books(accept_order));
    config = venue.config();
    config.ca_file = "";
  }
  const std::string error = error_of(config);
  EXPECT_EQ(error.rfind("cannot reach the broker at " + config.url + ": ", 0), 0U) << error;
  EXPECT_NE(error.find("refused"), std::string::npos) << error;
}

TEST(AlpacaLinkStart, ASilentBrokerIsNamed) {
  Venue venue({}, [](const VenueRequest&) -> VenueReply { return {200, "", Way::kSilence}; });
  BrokerConfig config = venue.config();
  config.timeout = std::chrono::milliseconds(200);
  EXPECT_EQ(error_of(config), "cannot reach the broker at " + config.url + ": no answer within 200 ms");
}

TEST(AlpacaLinkStart, KeysNeverTravelInTheClear) {
  BrokerConfig config;
  config.url = "http://paper-api.alpaca.markets";
  config.key_id = "k";
  config.secret = "hush-hush";
  const std::string error = error_of(config);
  EXPECT_NE(error.find("broker.url"), std::string::npos) << error;
  EXPECT_NE(error.find("https://"), std::string::npos) << error;
  EXPECT_EQ(error.find("hush-hush"), std::string::npos) << error;
}

}  // namespace
}  // namespace tradewind::testing
