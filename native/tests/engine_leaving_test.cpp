// A strategy that is deleted: what becomes of its orders and positions, and that nobody else's are touched.
#include "engine_scenarios.hpp"
#include "tradewind/engine/config.hpp"

namespace tradewind::testing {
namespace {

constexpr Time kMinute = 60 * kSecond;

EngineConfig two_strategies() {
  EngineConfig c = config_of({"AAA", "IBM"}, {"a", "b"});
  c.order_ttl = 0;  // orders rest until somebody cancels them
  return c;
}

Desk desk(const EngineConfig& config = two_strategies()) {
  Desk d(config);
  d.connect();
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  return d;
}

void bar(Desk& d, double price, std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  d.now += kSecond;
  d.bar("IBM", price, price, most);
}
void limit(Desk& d, const std::string& strategy, std::int64_t target, double price) {
  Intent i = d.intent_of(strategy, "IBM", target);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(price);
  d.feed(i);
  d.flush();
}
void remove(Desk& d, Leaving how, const std::string& strategy = "a") {
  EngineConfig c = d.engine.config();
  for (StrategyConfig& s : c.strategies) {
    if (s.uid.view() == strategy) s.leaving = how;
  }
  d.engine.reconfigure(c);
  d.now += kSecond;
  d.feed(TimeUpdate{});
}
Remains remains(const Desk& d, std::size_t index = 0) {
  std::vector<Remains> all;
  d.engine.remains(all);
  return all.at(index);
}
OrderState state_of(const Desk& d, const ClientOrderId& id) {
  OrderState state = OrderState::kNone;
  for (const auto& o : d.all<OrderRecord>()) {
    if (o.client_order_id == id) state = o.state;
  }
  return state;
}

// Ten of IBM at 100, sold at 95.
Desk protected_desk() {
  Desk d = desk();
  Intent i = d.intent_of("a", "IBM", 10);
  i.reference_price = dollars(100);
  i.stop_loss = dollars(95);
  d.feed(i);
  d.flush();
  bar(d, 100);
  return d;
}

TEST(Leaving, TheNamesInTheConfigurationAreThreeAndNothingElse) {
  for (const Leaving how : {Leaving::kNo, Leaving::kKeep, Leaving::kCancel, Leaving::kFlatten}) {
    EngineConfig c = two_strategies();
    c.strategies[0].leaving = how;
    EXPECT_EQ(parse_engine_config(canonical_json(c)).strategies[0].leaving, how);
  }
  std::string text = canonical_json([] {
    EngineConfig c = two_strategies();
    c.strategies[0].leaving = Leaving::kCancel;
    return c;
  }());
  text.replace(text.find("\"cancel\""), 8, "\"sell\"");
  try {
    (void)parse_engine_config(text);
    ADD_FAILURE() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("leaving: give keep, cancel or flatten"), std::string::npos);
  }
}

TEST(Leaving, WhoStaysHasNothingToTell) {
  Desk d = desk();
  std::vector<Remains> all;
  d.engine.remains(all);
  EXPECT_TRUE(all.empty());
}

TEST(Leaving, KeepTouchesNothingAndDecidesNothingMore) {
  Desk d = desk();
  hold(d, "IBM", 10, 100);
  limit(d, "a", 15, 90);
  remove(d, Leaving::kKeep);
  EXPECT_TRUE(d.requests(RequestKind::kCancel).empty());
  EXPECT_EQ(remains(d).orders, 1U);
  EXPECT_EQ(remains(d).positions, 1U);
  const IntentId late = d.want("a", "IBM", 0);
  d.flush();
  EXPECT_EQ(d.verdicts(late).at(0).code, RejectCode::kStrategyLeaving);
  bar(d, 89);  // what was decided before goes on
  EXPECT_EQ(d.position("IBM", "a"), 15);
  EXPECT_EQ(remains(d).orders, 0U);
}

TEST(Leaving, CancelEndsTheOrdersAndLeavesThePosition) {
  Desk d = desk();
  hold(d, "IBM", 10, 100);
  limit(d, "a", 15, 90);
  const ClientOrderId entry = d.requests(RequestKind::kSubmit).back().client_order_id;
  remove(d, Leaving::kCancel);
  EXPECT_EQ(state_of(d, entry), OrderState::kCanceled);
  bar(d, 89);
  EXPECT_EQ(d.position("IBM", "a"), 10);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2U);
  EXPECT_EQ(remains(d).orders, 0U);
  EXPECT_EQ(remains(d).positions, 1U);
}

TEST(Leaving, AnUndecidedIntentIsRefused) {
  for (const Leaving how : {Leaving::kCancel, Leaving::kFlatten}) {
    Desk d = desk();
    const IntentId waiting = d.want("a", "IBM", 10);  // its flush has not come yet
    remove(d, how);
    EXPECT_EQ(d.verdicts(waiting).at(0).code, RejectCode::kStrategyLeaving);
    EXPECT_TRUE(d.requests(RequestKind::kSubmit).empty());
  }
}

// What is netted anew once a cancel is confirmed waits for no flush.
TEST(Leaving, AnUndecidedIntentIsRefusedBeforeItIsNettedAnew) {
  Desk d = desk();
  limit(d, "a", 10, 90);
  d.answering = false;
  d.want("b", "IBM", 50);  // the larger, at the market: the order that works is cancelled first
  d.flush();
  ASSERT_EQ(d.requests(RequestKind::kCancel).size(), 1U);
  const IntentId waiting = d.want("a", "IBM", 20);
  EngineConfig c = d.engine.config();
  c.strategies[0].leaving = Leaving::kCancel;
  d.engine.reconfigure(c);
  for (const BrokerEvent& e : d.answer(d.requests(RequestKind::kCancel).at(0))) d.feed(e);
  ASSERT_EQ(d.verdicts(waiting).size(), 1U);
  EXPECT_EQ(d.verdicts(waiting).at(0).code, RejectCode::kStrategyLeaving);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(50));
}

TEST(Leaving, FlattenClosesWhatIsHeldAtTheMarket) {
  for (const std::int64_t held : {10, -10}) {
    Desk d = desk();
    hold(d, "IBM", held, 100);
    hold(d, "AAA", held, 50);
    limit(d, "a", 3 * held, held > 0 ? 90 : 110);
    const ClientOrderId entry = d.requests(RequestKind::kSubmit).back().client_order_id;
    remove(d, Leaving::kFlatten);
    EXPECT_EQ(state_of(d, entry), OrderState::kCanceled);
    const auto sent = d.requests(RequestKind::kSubmit);
    ASSERT_EQ(sent.size(), 5U);
    for (const std::size_t exit : {3U, 4U}) {
      EXPECT_EQ(sent[exit].order_type, OrderType::kMarket);
      EXPECT_EQ(sent[exit].quantity, shares(10));
    }
    EXPECT_EQ(d.all<OrderRecord>().back().exit, ExitReason::kDeleted);
    EXPECT_EQ(remains(d).positions, 2U);
    bar(d, 100);
    d.now += kSecond;
    d.bar("AAA", 50);
    EXPECT_EQ(d.position("IBM"), 0);
    EXPECT_EQ(d.position("AAA"), 0);
    EXPECT_EQ(remains(d).orders + remains(d).positions, 0U);
    bar(d, 100);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 5U);
    // Nothing holds it any more: the configuration can go without it.
    EngineConfig without = d.engine.config();
    without.strategies.erase(without.strategies.begin());
    d.engine.reconfigure(without);
    EXPECT_EQ(d.engine.account().cash, d.broker.cash);
  }
}

TEST(Leaving, WhatFillsWhileTheEntryIsCancelledIsClosedToo) {
  Desk d = desk();
  limit(d, "a", 10, 100);
  d.answering = false;
  remove(d, Leaving::kFlatten);
  ASSERT_EQ(d.requests(RequestKind::kCancel).size(), 1U);
  bar(d, 100, 4 * kShare);  // four of ten, before the cancel is there
  ASSERT_EQ(d.position("IBM", "a"), 4);
  d.answering = true;
  for (const BrokerEvent& e : d.answer(d.requests(RequestKind::kCancel).at(0))) d.feed(e);
  d.now += kSecond;
  d.feed(TimeUpdate{});
  bar(d, 100);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.broker.positions["IBM"], 0);
}

// One order works for both: what the other one wants of it is worked on.
TEST(Leaving, TheOthersPartOfAnOrderStays) {
  for (const Leaving how : {Leaving::kCancel, Leaving::kFlatten}) {
    Desk d = desk();
    const auto both = [&d](std::int64_t a, std::int64_t b) {
      for (const auto& [strategy, target] : {std::pair{"a", a}, std::pair{"b", b}}) {
        Intent i = d.intent_of(strategy, "IBM", target);
        i.order_type = OrderType::kLimit;
        i.limit_price = dollars(90);
        d.feed(i);
      }
      d.flush();
    };
    both(10, 5);
    ASSERT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(15));
    remove(d, how);
    bar(d, 89);
    bar(d, 89);
    EXPECT_EQ(d.position("IBM", "a"), 0);
    EXPECT_EQ(d.position("IBM", "b"), 5);
    EXPECT_EQ(d.broker.positions["IBM"], 5 * kShare);
  }
}

// The account is flat, its strategies are not: closing one opens the other's position at the broker.
TEST(Leaving, ASubBookAgainstAnotherIsClosedAlone) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  bar(d, 100);
  d.want("b", "IBM", -10);
  d.flush();
  bar(d, 100);
  ASSERT_EQ(d.position("IBM"), 0);
  remove(d, Leaving::kFlatten);
  bar(d, 101);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "b"), -10);
  EXPECT_EQ(d.broker.positions["IBM"], -10 * kShare);
  EXPECT_EQ(remains(d).positions, 0U);
}

TEST(Leaving, BothCanLeaveAtOnceEachInItsWay) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.want("b", "IBM", 20);
  d.flush();
  bar(d, 100);
  EngineConfig c = d.engine.config();
  c.strategies[0].leaving = Leaving::kFlatten;
  c.strategies[1].leaving = Leaving::kCancel;
  d.engine.reconfigure(c);
  bar(d, 100);
  d.flush();
  bar(d, 100);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "b"), 20);
}

TEST(Leaving, AClosedMarketIsWaitedForWithoutARecordEachTime) {
  EngineConfig c = two_strategies();
  c.limits.skip_first = c.limits.skip_last = 5 * kMinute;
  Desk d(c);
  const Time open = d.now - 10 * kMinute, close = d.now + 60 * kMinute, next = d.now + 1000 * kMinute;
  d.connect();
  d.feed(SessionUpdate{open, close, next});
  d.bar("IBM", 100);
  hold(d, "IBM", 10, 100);
  d.now = close + kMinute;
  remove(d, Leaving::kFlatten);
  EXPECT_EQ(remains(d).refused, RejectCode::kOutOfSession);
  const auto told = [&d] { return d.all<IntentVerdict>().size() + d.all<Alert>().size(); };
  const std::size_t said = told();
  for (int i = 0; i < 500; ++i) {
    d.now += kMinute;
    d.feed(TimeUpdate{});
  }
  EXPECT_EQ(told(), said);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1U);
  d.now = next + 10 * kMinute;
  d.feed(SessionUpdate{next, next + 390 * kMinute, next + 1440 * kMinute});
  d.feed(TimeUpdate{});
  EXPECT_EQ(remains(d).refused, RejectCode::kOk);
  bar(d, 100);
  EXPECT_EQ(d.position("IBM"), 0);
  EXPECT_EQ(remains(d).positions, 0U);
}

TEST(Leaving, AnExitThatTheBrokerRefusesIsTriedAgainLaterAndLater) {
  Desk d = desk();
  hold(d, "IBM", 10, 100);
  d.answering = false;
  remove(d, Leaving::kFlatten);
  std::vector<Time> tried;
  for (int i = 0; i < 40; ++i) {
    if (d.requests(RequestKind::kSubmit).size() > tried.size() + 1) {
      tried.push_back(d.now);
      BrokerEvent e = d.broker.answer(BrokerEventKind::kSubmitRejected, d.requests(RequestKind::kSubmit).back());
      e.http_status = 422;
      d.feed(e);
      EXPECT_EQ(remains(d).refused, RejectCode::kBrokerRejected);
    }
    d.now += kSecond;
    d.feed(TimeUpdate{});
  }
  ASSERT_EQ(tried.size(), 6U);
  for (std::size_t i = 2; i < tried.size(); ++i) EXPECT_GT(tried[i] - tried[i - 1], tried[i - 1] - tried[i - 2]);
}

TEST(Leaving, AStopLossStillProtectsWhatIsKept) {
  Desk d = protected_desk();
  remove(d, Leaving::kCancel);
  bar(d, 94);
  EXPECT_EQ(d.all<OrderRecord>().back().exit, ExitReason::kStopLoss);
  EXPECT_EQ(d.all<OrderRecord>().back().state, OrderState::kAccepted);
  EXPECT_EQ(remains(d).orders, 0U);  // a protection is not waited for
  EXPECT_EQ(remains(d).positions, 1U);
  bar(d, 94);
  EXPECT_EQ(d.position("IBM"), 0);
}

TEST(Leaving, ALimitsCutIsNotWaitedFor) {
  EngineConfig c = two_strategies();
  c.limits.cut_tolerance = 200'000;
  c.limits.max_position = 50'000;
  Desk d = desk(c);
  hold(d, "IBM", 500, 100);
  remove(d, Leaving::kCancel);
  bar(d, 122);
  d.feed(TimeUpdate{});
  ASSERT_EQ(d.all<OrderRecord>().back().exit, ExitReason::kLimitBreach);
  EXPECT_EQ(remains(d).orders, 0U);
  bar(d, 122);
  EXPECT_EQ(d.position("IBM"), 414);
  EXPECT_EQ(remains(d).orders, 0U);
  EXPECT_EQ(remains(d).positions, 1U);
}

// The bracket's exit is no order of the strategy; the one that it had out before still is, until its cancel is there.
TEST(Leaving, AnOrderThatMakesWayForAStopLossIsWaitedFor) {
  Desk d = protected_desk();
  Intent i = d.intent_of("a", "IBM", 4);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(130);
  i.reference_price = dollars(100);
  i.stop_loss = dollars(95);
  d.feed(i);
  d.flush();
  d.answering = false;
  bar(d, 94);
  d.flush();
  remove(d, Leaving::kCancel);
  ASSERT_EQ(d.requests(RequestKind::kCancel).size(), 1U);
  EXPECT_EQ(remains(d).orders, 1U);
  d.answering = true;
  for (const BrokerEvent& e : d.answer(d.requests(RequestKind::kCancel).at(0))) d.feed(e);
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.all<OrderRecord>().back().exit, ExitReason::kStopLoss);
  EXPECT_EQ(remains(d).orders, 0U);
}

// What the switch closes waits for the next price, and goes on after its release; a replay that has ended has none.
TEST(Leaving, TheKillSwitchsClosingOrdersAreNotWaitedFor) {
  for (const bool released : {false, true}) {
    Desk d = desk();
    hold(d, "IBM", 10, 100);
    limit(d, "a", 15, 90);
    d.halt(true);
    if (released) d.resume("ada");
    remove(d, Leaving::kCancel);
    EXPECT_EQ(remains(d).orders, 0U);
    EXPECT_EQ(remains(d).positions, 1U);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(10));
    bar(d, 100);
    EXPECT_EQ(d.position("IBM"), 0);  // nobody has cancelled it
    EXPECT_EQ(remains(d).orders + remains(d).positions, 0U);
  }
}

TEST(Leaving, UnderTheKillSwitchNothingMovesUntilItIsReleased) {
  Desk d = desk();
  hold(d, "IBM", 10, 100);
  d.halt(false);
  remove(d, Leaving::kFlatten);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1U);
  EXPECT_EQ(remains(d).positions, 1U);
  d.resume("ada");
  d.feed(TimeUpdate{});
  bar(d, 100);
  EXPECT_EQ(d.position("IBM"), 0);
}

}  // namespace
}  // namespace tradewind::testing
