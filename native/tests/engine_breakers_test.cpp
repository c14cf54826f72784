// Circuit breakers: what opens one, what is refused meanwhile, and which trial closes it.
#include "engine_scenarios.hpp"
#include "tradewind/engine/breaker.hpp"

namespace tradewind::testing {
namespace {

constexpr Time kMinute = 60 * kSecond;

TEST(Breaker, EachPauseIsTwiceAsLongAsTheOneBeforeUntilATrialSucceeds) {
  Breaker b;
  EXPECT_FALSE(b.failed(0, 2, 10));
  EXPECT_FALSE(b.succeeded());
  EXPECT_FALSE(b.failed(0, 2, 10));  // not in a row
  EXPECT_TRUE(b.failed(5, 2, 10));
  EXPECT_FALSE(b.succeeded());  // sent before it opened
  for (Time now = 5, pause = 10; pause <= 320; pause *= 2) {
    EXPECT_EQ(b.state, BreakerState::kOpen);
    EXPECT_FALSE(b.due(now + pause - 1));
    now += pause;
    ASSERT_TRUE(b.due(now));
    EXPECT_FALSE(b.due(now));
    EXPECT_EQ(b.state, BreakerState::kHalfOpen);
    EXPECT_TRUE(b.failed(now, 2, 10));
  }
  EXPECT_EQ(b.until, 5 + 10 + 20 + 40 + 80 + 160 + 320 + 320);  // no longer than that
  ASSERT_TRUE(b.due(b.until));
  EXPECT_TRUE(b.succeeded());
  EXPECT_EQ(b.state, BreakerState::kClosed);
  EXPECT_EQ(b.trips, 0U);
}

Desk failing(std::int64_t failures = 3) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  config.limits.breaker_failures = failures;
  config.limits.breaker_pause = 10 * kSecond;
  Desk d(config);
  d.connect();
  d.bar("AAA", 100);
  d.bar("IBM", 100);
  return d;
}

// A request comes to nothing; its order is looked up as ever.
void fails(Desk& d, BrokerEventKind kind, int status = 0) {
  BrokerEvent e;
  e.kind = kind;
  e.request_id = 1'000'000;
  e.http_status = status;
  d.feed(e);
}

RejectCode enter(Desk& d, const std::string& symbol, std::int64_t target) {
  const IntentId id = d.want("a", symbol, target);
  d.flush();
  const IntentVerdict v = d.verdicts(id).at(0);
  return v.accepted ? RejectCode::kOk : v.code;
}

TEST(BrokerBreaker, FailuresInARowStopNewRiskAndATrialLetsItPassAgain) {
  Desk d = failing();
  hold(d, "IBM", 10, 100);
  fails(d, BrokerEventKind::kSubmitUnknown, 504);
  fails(d, BrokerEventKind::kLookupFailed);
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kClosed);
  fails(d, BrokerEventKind::kSubmitRejected, 429);
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kOpen);
  EXPECT_EQ(d.all<RiskRecord>().back().broker_rest, BreakerState::kOpen);
  EXPECT_EQ(d.all<Alert>().back().severity, Severity::kCritical);
  EXPECT_EQ(enter(d, "AAA", 1), RejectCode::kBrokerFailing);
  EXPECT_EQ(enter(d, "IBM", 5), RejectCode::kOk);  // an exit
  d.answering = false;
  d.now += 10 * kSecond;
  const auto asked = d.requests(RequestKind::kSnapshot).size();
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kHalfOpen);
  ASSERT_EQ(d.requests(RequestKind::kSnapshot).size(), asked + 1);  // the trial is a question
  EXPECT_EQ(enter(d, "AAA", 2), RejectCode::kBrokerFailing);
  d.answering = true;
  for (const BrokerEvent& e : d.answer(d.requests(RequestKind::kSnapshot).back())) d.feed(e);
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kClosed);
  EXPECT_EQ(enter(d, "AAA", 3), RejectCode::kOk);
}

TEST(BrokerBreaker, ATrialThatFailsDoublesThePause) {
  Desk d = failing(1);
  d.answering = false;
  fails(d, BrokerEventKind::kCancelUnknown, 500);
  d.now += 10 * kSecond;
  d.feed(TimeUpdate{});
  ASSERT_EQ(d.engine.risk().broker_rest, BreakerState::kHalfOpen);
  fails(d, BrokerEventKind::kSnapshotFailed);
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kOpen);
  d.now += 20 * kSecond - 1;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kOpen);
  d.now += 1;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kHalfOpen);
}

// A broker that refuses answers; an order that the lost lease held back never reached it.
TEST(BrokerBreaker, RefusalsAreNoFailuresAndAnswersBreakTheRow) {
  Desk d = failing(2);
  for (int i = 0; i < 5; ++i) {
    fails(d, BrokerEventKind::kSubmitRejected, 403);
    fails(d, BrokerEventKind::kSubmitUnknown, 504);
    fails(d, BrokerEventKind::kCancelRejected, 422);
  }
  BrokerEvent held_back;
  held_back.kind = BrokerEventKind::kSubmitRejected;
  held_back.code = kCodeLeaseLost;
  for (int i = 0; i < 5; ++i) d.feed(held_back);
  EXPECT_EQ(d.engine.risk().broker_rest, BreakerState::kClosed);
}

// The broker takes no orders and answers questions: an order is not sent again and again.
TEST(BrokerBreaker, AnOrderThatNeverArrivesIsGivenUp) {
  Desk d = failing();
  d.answering = false;
  const IntentId id = d.want("a", "IBM", 10);
  d.flush();
  int posts = 0;
  for (std::size_t i = d.sent.size() - 1; i < d.sent.size(); ++i) {
    const BrokerRequest r = d.sent[i];
    ASSERT_NE(r.kind, RequestKind::kSnapshot);
    posts += r.kind == RequestKind::kSubmit ? 1 : 0;
    BrokerEvent e = d.broker.answer(
        r.kind == RequestKind::kSubmit ? BrokerEventKind::kSubmitUnknown : BrokerEventKind::kLookupMissing, r);
    e.http_status = r.kind == RequestKind::kSubmit ? 504 : 404;
    d.feed(e);
  }
  EXPECT_EQ(posts, 3);
  EXPECT_EQ(d.engine.working_orders(), 0u);
  EXPECT_EQ(d.all<OrderRecord>().back().code, RejectCode::kBrokerFailing);
  EXPECT_TRUE(d.verdicts(id).at(0).accepted);
}

TEST(BrokerBreaker, CancelsPass) {
  Desk d = failing(1);
  Intent i = d.intent_of("a", "IBM", 10);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(90);
  d.feed(i);
  d.flush();
  fails(d, BrokerEventKind::kSubmitUnknown);
  EXPECT_EQ(enter(d, "IBM", 0), RejectCode::kOk);
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  EXPECT_EQ(d.engine.working_orders(), 0u);
}

TEST(StreamAndEstimates, TheirStatesAreTold) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.limits.max_estimate_age = kMinute;
  Desk d(config);
  EXPECT_EQ(d.engine.risk().broker_stream, BreakerState::kOpen);
  d.answering = false;
  d.connect();
  EXPECT_EQ(d.engine.risk().broker_stream, BreakerState::kHalfOpen);
  d.answering = true;
  d.connect();
  EXPECT_EQ(d.engine.risk().broker_stream, BreakerState::kClosed);
  EXPECT_EQ(d.engine.risk().estimates, BreakerState::kClosed);  // none yet, and what is assumed holds
  estimates(d, {{"IBM", {0.01, -0.01}}});
  d.now += kMinute + 1;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.all<RiskRecord>().back().estimates, BreakerState::kOpen);
  estimates(d, {{"IBM", {0.01, -0.01}}});
  EXPECT_EQ(d.engine.risk().estimates, BreakerState::kClosed);
}

TEST(FeedBreaker, SilenceWithinASessionStopsNewRiskUntilTheSecondTimesBar) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.limits.feed_silent_after = kMinute;
  Desk d(config);
  d.connect();
  d.feed(SessionUpdate{kStart, kStart + 60 * kMinute, kStart + 1440 * kMinute});
  d.bar("IBM", 100);
  hold(d, "IBM", 10, 100);
  d.now += kMinute;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.engine.risk().market_data, BreakerState::kClosed);
  d.now += 1;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.engine.risk().market_data, BreakerState::kOpen);
  EXPECT_EQ(enter(d, "IBM", 11), RejectCode::kFeedSilent);
  EXPECT_EQ(enter(d, "IBM", 9), RejectCode::kOk);
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.engine.risk().market_data, BreakerState::kHalfOpen);
  EXPECT_EQ(enter(d, "IBM", 11), RejectCode::kFeedSilent);
  d.bar("IBM", 100);  // of the same time
  EXPECT_EQ(d.engine.risk().market_data, BreakerState::kHalfOpen);
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.engine.risk().market_data, BreakerState::kClosed);
  EXPECT_EQ(enter(d, "IBM", 11), RejectCode::kOk);
  d.now = kStart + 61 * kMinute;
  d.feed(TimeUpdate{});  // the session is over: silence is what it should be
  EXPECT_EQ(d.engine.risk().market_data, BreakerState::kClosed);
}

}  // namespace
}  // namespace tradewind::testing
