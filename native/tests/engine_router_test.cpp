// Intents to orders to books: netting, slices, crossing, allocation, and intents that come again.
#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

Desk desk(std::vector<std::string> strategies = {"a", "b"}, std::vector<std::string> symbols = {"IBM"}) {
  Desk d(config_of(symbols, strategies));
  d.connect();
  for (const auto& s : symbols) d.bar(s, 100);
  return d;
}

TEST(Router, OneIntentOneOrderOneFill) {
  Desk d = desk();
  const IntentId id = d.want("a", "IBM", 10);
  EXPECT_TRUE(d.requests(RequestKind::kSubmit).empty());  // nothing before the flush
  d.flush();
  const auto orders = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].quantity, shares(10));
  EXPECT_EQ(orders[0].side, Side::kBuy);
  EXPECT_TRUE(orders[0].client_order_id.view().starts_with("tw-"));
  const auto verdict = d.verdicts(id);
  ASSERT_EQ(verdict.size(), 1u);
  EXPECT_TRUE(verdict[0].accepted);
  EXPECT_EQ(verdict[0].order, orders[0].client_order_id);
  d.now += kSecond;
  d.bar("IBM", 101, 102);
  EXPECT_EQ(d.position("IBM", "a"), 10);
  EXPECT_EQ(d.engine.account().cash, dollars(1'000'000 - 1010));
  EXPECT_EQ(d.engine.account().equity, dollars(1'000'000 + 10));
  EXPECT_EQ(d.engine.account().cash, d.broker.cash);
}

// The issue's own case: one strategy long, one short, one symbol. Never two opposite orders, and the books add up.
TEST(Router, TwoStrategiesLongAndShortAreNetted) {
  Desk d = desk();
  d.want("a", "IBM", 100);
  d.want("b", "IBM", -30);
  d.flush();
  ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_EQ(d.requests(RequestKind::kSubmit)[0].quantity, shares(70));
  d.now += kSecond;
  d.bar("IBM", 50, 50, 35 * kShare);  // half fills
  EXPECT_EQ(d.position("IBM", "a"), 50);
  EXPECT_EQ(d.position("IBM", "b"), -15);
  EXPECT_EQ(d.position("IBM"), 35);
  d.now += kSecond;
  d.bar("IBM", 60);
  EXPECT_EQ(d.position("IBM", "a"), 100);
  EXPECT_EQ(d.position("IBM", "b"), -30);
  EXPECT_EQ(d.broker.positions["IBM"], 70 * kShare);
  EXPECT_TRUE(d.broker.faults.empty());
  // Records: what reached the broker adds up to its executions; the rest is internal and adds up to nothing.
  std::int64_t outside = 0, inside = 0;
  for (const auto& f : d.all<FillRecord>()) {
    (f.internal ? inside : outside) += f.side == Side::kBuy ? f.quantity.raw : -f.quantity.raw;
  }
  EXPECT_EQ(outside, 70 * kShare);
  EXPECT_EQ(inside, 0);
}

TEST(Router, OppositeWishesThatCancelOutCrossAtTheNextOpen) {
  Desk d = desk();
  const IntentId a = d.want("a", "IBM", 40);
  const IntentId b = d.want("b", "IBM", -40);
  d.flush();
  EXPECT_TRUE(d.requests(RequestKind::kSubmit).empty());
  EXPECT_EQ(d.position("IBM", "a"), 0);
  for (const auto& id : {a, b}) {
    ASSERT_EQ(d.verdicts(id).size(), 1u);
    EXPECT_TRUE(d.verdicts(id)[0].accepted);
    EXPECT_TRUE(d.verdicts(id)[0].order.empty());
  }
  d.now += kSecond;
  d.bar("IBM", 90, 95);
  EXPECT_EQ(d.position("IBM", "a"), 40);
  EXPECT_EQ(d.position("IBM", "b"), -40);
  EXPECT_EQ(d.position("IBM"), 0);
  EXPECT_EQ(d.engine.account().cash, dollars(1'000'000));
  const auto fills = d.all<FillRecord>();
  ASSERT_EQ(fills.size(), 2u);
  for (const auto& f : fills) {
    EXPECT_TRUE(f.internal);
    EXPECT_EQ(f.price, dollars(90));
  }
  d.now += kSecond;
  d.bar("IBM", 70);
  EXPECT_EQ(d.all<FillRecord>().size(), 2u);  // once
}

TEST(Router, AnOrderNeverCrossesZero) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  d.want("a", "IBM", -5);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  const auto orders = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(orders.size(), 3u);
  EXPECT_EQ(orders[1].quantity, shares(10));
  EXPECT_EQ(orders[2].quantity, shares(5));
  EXPECT_EQ(orders[2].side, Side::kSell);
  EXPECT_FALSE(orders[1].client_order_id == orders[2].client_order_id);
  EXPECT_EQ(d.position("IBM", "a"), -5);
  EXPECT_TRUE(d.broker.faults.empty());
}

TEST(Router, AWorkingOrderThatIsNoLongerNeededIsCancelledFirst) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  d.now += kSecond;
  const IntentId second = d.want("b", "IBM", -25);
  d.flush();
  ASSERT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  const auto orders = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(orders[1].side, Side::kSell);
  EXPECT_EQ(orders[1].quantity, shares(15));
  EXPECT_TRUE(d.broker.faults.empty());
  ASSERT_EQ(d.verdicts(second).size(), 1u);
  EXPECT_EQ(d.verdicts(second)[0].order, orders[1].client_order_id);
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.position("IBM", "a"), 10);
  EXPECT_EQ(d.position("IBM", "b"), -25);
}

TEST(Router, AWorkingOrderThatIsStillRightIsLeftAlone) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  d.now += kSecond;
  const IntentId again = d.want("a", "IBM", 10);
  d.flush();
  EXPECT_TRUE(d.requests(RequestKind::kCancel).empty());
  ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  ASSERT_EQ(d.verdicts(again).size(), 1u);
  EXPECT_EQ(d.verdicts(again)[0].order, d.requests(RequestKind::kSubmit)[0].client_order_id);
}

TEST(Router, NothingWorksWhileTheCancelIsUnconfirmed) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  d.answering = false;
  d.now += kSecond;
  d.want("a", "IBM", -10);
  d.flush();
  d.flush();
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  ASSERT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  // It fills before the cancel gets there: the close is what is needed then.
  d.answering = true;
  d.now += kSecond;
  d.bar("IBM", 100);
  d.flush();
  const auto orders = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(orders[1].quantity, shares(10));
  EXPECT_EQ(orders[1].side, Side::kSell);
}

TEST(Router, TheSameIntentAgainIsNoNews) {
  Desk d = desk();
  const Intent i = d.intent_of("a", "IBM", 10);
  d.feed(i);
  d.flush();
  const std::string hash = d.engine.decision_hash();
  d.feed(i);
  d.flush();
  EXPECT_EQ(d.engine.decision_hash(), hash);
  EXPECT_EQ(d.verdicts(i.id).size(), 1u);
  EXPECT_EQ(d.engine.counts().intents, 1u);
}

TEST(Router, FractionsOfAShareAreSplitByLargestRemainder) {
  Desk d = desk({"a", "b", "c"});
  for (const char* s : {"a", "b", "c"}) d.want(s, "IBM", 10);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100, 100, 10 * kShare);
  EXPECT_EQ(d.position("IBM", "a"), 4);  // 10 shares over three equal wishes, whole shares, lower uid first
  EXPECT_EQ(d.position("IBM", "b"), 3);
  EXPECT_EQ(d.position("IBM", "c"), 3);
  d.now += kSecond;
  d.bar("IBM", 100);
  for (const char* s : {"a", "b", "c"}) EXPECT_EQ(d.position("IBM", s), 10);
}

TEST(Router, ARefusedEntryDoesNotBlockAnExit) {
  EngineConfig config = config_of({"IBM"}, {"a", "b"});
  config.limits.max_position = 10'000;  // 1 % of a million: 100 shares at 100
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  d.want("b", "IBM", 50);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  const IntentId entry = d.want("a", "IBM", 500);
  const IntentId exit = d.want("b", "IBM", 0);
  d.flush();
  ASSERT_EQ(d.verdicts(entry).size(), 1u);
  EXPECT_EQ(d.verdicts(entry)[0].code, RejectCode::kMaxPosition);
  ASSERT_EQ(d.verdicts(exit).size(), 1u);
  EXPECT_TRUE(d.verdicts(exit)[0].accepted);
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "b"), 0);
}

TEST(Router, AnOrderThatTheBrokerEndsEndsItsIntents) {
  for (const OrderState state : {OrderState::kExpired, OrderState::kCanceled, OrderState::kRejected}) {
    Desk d = desk();
    d.want("a", "IBM", 10);
    d.flush();
    auto& order = d.broker.orders.begin()->second;
    order.view.state = state;
    d.feed(FakeBroker::update(order));
    d.flush();
    d.feed(TimeUpdate{});
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u) << "sent again after " << static_cast<int>(state);
    EXPECT_EQ(d.engine.working_orders(), 0u);
  }
}

// In lockstep two runs may hear the broker's answers in different orders; they must decide the same, limits included.
TEST(Router, TheOrderOfTheAnswersDecidesNothing) {
  const auto run = [](bool swapped) {
    EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
    config.limits.max_gross = 10'000;  // room for one of the two
    Desk d(config);
    d.connect();
    for (const char* s : {"AAA", "IBM"}) d.bar(s, 100);
    for (const char* s : {"AAA", "IBM"}) d.want("a", s, 10);
    d.flush();
    d.answering = false;
    d.now += kSecond;
    for (const char* s : {"AAA", "IBM"}) d.want("a", s, 60);
    d.flush();
    auto cancels = d.requests(RequestKind::kCancel);
    EXPECT_EQ(cancels.size(), 2u);
    if (swapped) std::swap(cancels.at(0), cancels.at(1));
    for (const auto& cancel : cancels) {
      EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
      for (const BrokerEvent& e : d.answer(cancel)) d.feed(e);
    }
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 3u);
    return d.engine.decision_hash();
  };
  EXPECT_EQ(run(false), run(true));
}

TEST(Router, AnOldOrderTimesOut) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.order_ttl = 60 * kSecond;
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  Intent i = d.intent_of("a", "IBM", 10);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(90);
  d.feed(i);
  d.flush();
  d.now += 59 * kSecond;
  d.feed(TimeUpdate{});
  EXPECT_TRUE(d.requests(RequestKind::kCancel).empty());
  d.now += kSecond;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  EXPECT_EQ(d.engine.working_orders(), 0u);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_EQ(d.all<OrderRecord>().back().code, RejectCode::kOrderTimeout);
}

}  // namespace
}  // namespace tradewind::testing
