// Rules of the order manager: time-outs, partial acceptance, silence, and what kind of "no" an answer is.
#include "engine_fixture.hpp"
#include "tradewind/engine/rejection.hpp"

namespace tradewind::testing {
namespace {

Desk desk(std::int64_t ttl_seconds = 60) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.strategies[0].order_ttl = ttl_seconds * kSecond;
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  return d;
}
Intent limit_intent(Desk& d, std::int64_t target, double price, std::int64_t valid_seconds = 3600) {
  Intent i = d.intent_of("a", "IBM", target);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(price);
  i.valid_until = d.now + valid_seconds * kSecond;
  return i;
}
void pass(Desk& d, std::int64_t seconds) {
  d.now += seconds * kSecond;
  d.feed(TimeUpdate{});
}

TEST(OrderManager, AnOrderWhoseTimeIsUpIsWorkedOnWithTwiceAsLong) {
  Desk d = desk();
  d.feed(limit_intent(d, 10, 95));
  d.flush();
  pass(d, 59);
  EXPECT_TRUE(d.requests(RequestKind::kCancel).empty());
  pass(d, 1);
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  pass(d, 1);
  ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
  pass(d, 119);
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  pass(d, 1);
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 2u);
}

TEST(OrderManager, AnExpiredIntentIsNotWorkedOn) {
  Desk d = desk();
  d.feed(limit_intent(d, 10, 95, 30));
  d.flush();
  pass(d, 60);
  pass(d, 1);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_EQ(d.all<OrderRecord>().back().code, RejectCode::kOrderTimeout);
}

TEST(OrderManager, FourFifthsAreEnough) {
  for (const std::int64_t filled : {79, 80}) {
    Desk d = desk();
    d.feed(limit_intent(d, 100, 95));
    d.flush();
    d.now += kSecond;
    d.bar("IBM", 95, 95, filled * kShare);
    pass(d, 60);
    pass(d, 1);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), filled == 80 ? 1u : 2u);
  }
}

TEST(OrderManager, SilenceOfAnOrderInTransitionIsAskedAboutAndThenTold) {
  Desk d = desk(0);
  d.answering = false;
  d.want("a", "IBM", 10);
  d.flush();
  pass(d, 29);
  EXPECT_TRUE(d.requests(RequestKind::kLookup).empty());
  pass(d, 1);
  EXPECT_EQ(d.requests(RequestKind::kLookup).size(), 1u);
  EXPECT_TRUE(d.all<Alert>().empty());
  pass(d, 30);
  ASSERT_EQ(d.all<Alert>().size(), 1u);
  EXPECT_EQ(d.all<Alert>()[0].severity, Severity::kCritical);
}

TEST(OrderManager, AnOrderThatRestsMayBeSilent) {
  Desk d = desk(0);
  d.feed(limit_intent(d, 10, 95));
  d.flush();
  pass(d, 86'400);
  EXPECT_TRUE(d.requests(RequestKind::kLookup).empty());
}

BrokerEvent refusal(const Desk& d, std::int32_t status, std::int32_t code, const char* text) {
  BrokerEvent no = d.broker.answer(BrokerEventKind::kSubmitRejected, d.requests(RequestKind::kSubmit).back());
  no.http_status = status;
  no.code = code;
  no.text = ShortText(text);
  return no;
}

TEST(OrderManager, ATransientRefusalIsTriedAgainEachTimeAfterTwiceAsLong) {
  Desk d = desk(0);
  d.answering = false;
  d.feed(limit_intent(d, 10, 95));
  d.flush();
  std::size_t sent = 1;
  for (const std::int64_t wait : {1, 2, 4}) {
    d.feed(refusal(d, 429, 42910000, "rate limit exceeded"));
    EXPECT_EQ(d.all<OrderRecord>().back().category, RejectionCategory::kTransient);
    if (wait > 1) pass(d, wait - 1);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), sent);
    pass(d, 1);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), ++sent);
  }
}

TEST(OrderManager, APersistentRefusalEndsTheIntentAndAManualOneCallsAPerson) {
  for (const bool manual : {false, true}) {
    Desk d = desk(0);
    d.answering = false;
    d.want("a", "IBM", 10);
    d.flush();
    d.feed(refusal(d, 403, 40310000, manual ? "account is not authorized to trade" : "insufficient buying power"));
    EXPECT_EQ(d.all<OrderRecord>().back().category,
              manual ? RejectionCategory::kManual : RejectionCategory::kPersistent);
    EXPECT_EQ(d.all<Alert>().back().severity, manual ? Severity::kCritical : Severity::kWarning);
    pass(d, 100);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  }
}

TEST(Rejection, EachAnswerHasItsKind) {
  using R = RejectionCategory;
  EXPECT_EQ(category_of(429, 42910000, "too many requests"), R::kTransient);
  EXPECT_EQ(category_of(503, 0, "no connection to the broker"), R::kTransient);
  EXPECT_EQ(category_of(403, 40310000, "potential wash trade detected. use complex orders"), R::kTransient);
  EXPECT_EQ(category_of(403, 40310000, "insufficient qty available for order"), R::kTransient);
  EXPECT_EQ(category_of(403, 40310000, "insufficient buying power"), R::kPersistent);
  EXPECT_EQ(category_of(422, 42210000, "order parameters are not changed"), R::kPersistent);
  EXPECT_EQ(category_of(422, 42210000, "asset \"X\" is not tradable"), R::kManual);
  EXPECT_EQ(category_of(422, 42210000, "asset \"X\" not found"), R::kManual);
  EXPECT_EQ(category_of(401, 0, "unauthorized."), R::kManual);
  EXPECT_EQ(category_of(403, 0, ""), R::kManual);
}

}  // namespace
}  // namespace tradewind::testing
