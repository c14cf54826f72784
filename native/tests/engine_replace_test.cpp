// The broker's PATCH: a working order makes way for a linked one; refused, lost, overtaken by fills, and in any order.
#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

Desk desk(EngineConfig config = config_of({"IBM"}, {"a", "b"})) {
  Desk d(std::move(config));
  d.connect();
  d.bar("IBM", 100);
  return d;
}

IntentId want_limit(Desk& d, std::int64_t target, double price, const std::string& strategy = "a") {
  d.now += kSecond;
  Intent i = d.intent_of(strategy, "IBM", target);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(price);
  d.feed(i);
  d.flush();
  return i.id;
}

std::vector<OrderState> states(const Desk& d, const ClientOrderId& id) {
  std::vector<OrderState> found;
  for (const auto& r : d.all<OrderRecord>()) {
    if (r.client_order_id == id && (found.empty() || found.back() != r.state)) found.push_back(r.state);
  }
  return found;
}

ClientOrderId sent_id(const Desk& d, RequestKind kind, std::size_t index = 0) {
  return d.requests(kind).at(index).client_order_id;
}

// One order works, and a replace is out whose answer the test gives itself.
struct Pending {
  Desk d = desk();
  BrokerRequest request;
  ClientOrderId old_id;
  Pending() {
    want_limit(d, 10, 95);
    old_id = sent_id(d, RequestKind::kSubmit);
    d.answering = false;
    want_limit(d, 20, 96);
    request = d.requests(RequestKind::kReplace).at(0);
    d.answering = true;
  }
  void deliver(const std::vector<BrokerEvent>& events) {
    for (const BrokerEvent& e : events) d.feed(e);
  }
};

TEST(Replace, AnotherPriceReplacesTheWorkingOrder) {
  Desk d = desk();
  want_limit(d, 10, 95);
  const IntentId second = want_limit(d, 10, 96);
  ASSERT_EQ(d.requests(RequestKind::kReplace).size(), 1u);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_TRUE(d.requests(RequestKind::kCancel).empty());
  const BrokerRequest replace = d.requests(RequestKind::kReplace)[0];
  const ClientOrderId old_id = sent_id(d, RequestKind::kSubmit);
  EXPECT_EQ(replace.broker_order_id.view(), "b1");
  EXPECT_EQ(replace.limit_price, dollars(96));
  EXPECT_EQ(replace.quantity, shares(10));
  EXPECT_FALSE(replace.client_order_id == old_id);
  using S = OrderState;
  EXPECT_EQ(states(d, old_id), (std::vector{S::kSubmitted, S::kAccepted, S::kPendingReplace, S::kReplaced}));
  EXPECT_EQ(states(d, replace.client_order_id), (std::vector{S::kSubmitted, S::kAccepted}));
  for (const auto& r : d.all<OrderRecord>()) {
    EXPECT_EQ(r.replaces, r.client_order_id == replace.client_order_id ? old_id : ClientOrderId{});
  }
  EXPECT_EQ(d.verdicts(second).at(0).order, replace.client_order_id);
  EXPECT_EQ(d.engine.risk().trades_today, 1);
  EXPECT_EQ(d.engine.working_orders(), 1u);
  d.now += kSecond;
  d.bar("IBM", 96);
  EXPECT_EQ(d.position("IBM", "a"), 10);
  EXPECT_EQ(d.engine.working_orders(), 0u);
  EXPECT_TRUE(d.broker.faults.empty());
}

TEST(Replace, AnotherQuantityReplacesTheWorkingOrderAndItsShares) {
  Desk d = desk();
  want_limit(d, 10, 95);
  want_limit(d, 30, 95, "b");
  ASSERT_EQ(d.requests(RequestKind::kReplace).size(), 1u);
  EXPECT_EQ(d.requests(RequestKind::kReplace)[0].quantity, shares(40));
  d.now += kSecond;
  d.bar("IBM", 95);
  EXPECT_EQ(d.position("IBM", "a"), 10);
  EXPECT_EQ(d.position("IBM", "b"), 30);
}

TEST(Replace, WhatThePatchCannotSayIsCancelledAndSentAnew) {
  for (const int way : {0, 1, 2, 3}) {
    Desk d = desk();
    want_limit(d, 10, 95);
    d.now += kSecond;
    Intent i = d.intent_of("a", "IBM", way == 3 ? -10 : 10);
    i.order_type = OrderType::kLimit;
    i.limit_price = dollars(96);
    if (way == 0) i.order_type = OrderType::kMarket;
    if (way == 1) i.time_in_force = TimeInForce::kGtc;
    if (way == 2) {  // filled to 6 of 10; 5 more are wanted: the broker takes only more than it has filled
      d.bar("IBM", 95, 95, 6 * kShare);
      i.target = shares(11);
    }
    d.feed(i);
    d.flush();
    EXPECT_TRUE(d.requests(RequestKind::kReplace).empty()) << way;
    EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u) << way;
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u) << way;
    EXPECT_TRUE(d.broker.faults.empty()) << way;
  }
}

// Alpaca refuses a replace of an order that is "accepted" or "pending_new".
TEST(Replace, AnOrderThatTheBrokerDoesNotWorkYetIsNotReplaced) {
  Desk d = desk();
  d.answering = false;
  want_limit(d, 10, 95);
  const BrokerRequest first = d.requests(RequestKind::kSubmit).at(0);
  std::vector<BrokerEvent> stream;
  BrokerEvent accepted = d.broker.submit(first, stream);
  accepted.order.live = false;
  d.feed(accepted);
  want_limit(d, 10, 96);
  EXPECT_TRUE(d.requests(RequestKind::kReplace).empty());
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
}

TEST(Replace, RefusedTheOldOrderIsCancelledAndTheRestSentAnew) {
  Pending p;
  BrokerEvent no = p.d.broker.answer(BrokerEventKind::kSubmitRejected, p.request);
  no.text = ShortText("cannot replace order in accepted status");
  p.deliver({no});
  using S = OrderState;
  EXPECT_EQ(states(p.d, p.old_id), (std::vector{S::kSubmitted, S::kAccepted, S::kPendingReplace, S::kAccepted,
                                                S::kPendingCancel, S::kCanceled}));
  EXPECT_EQ(states(p.d, p.request.client_order_id), (std::vector{S::kSubmitted, S::kRejected}));
  ASSERT_EQ(p.d.requests(RequestKind::kSubmit).size(), 2u);
  const BrokerRequest again = p.d.requests(RequestKind::kSubmit)[1];
  EXPECT_EQ(again.quantity, shares(20));
  EXPECT_EQ(again.limit_price, dollars(96));
  p.d.now += kSecond;
  p.d.bar("IBM", 96);
  EXPECT_EQ(p.d.position("IBM", "a"), 20);
  EXPECT_TRUE(p.d.broker.faults.empty());
}

TEST(Replace, APartlyFilledOrderWhoseReplaceIsRefusedKeepsItsFills) {
  Pending p;
  p.d.now += kSecond;
  p.d.bar("IBM", 95, 95, 4 * kShare);
  p.deliver({p.d.broker.answer(BrokerEventKind::kSubmitRejected, p.request)});
  using S = OrderState;
  EXPECT_EQ(states(p.d, p.old_id), (std::vector{S::kSubmitted, S::kAccepted, S::kPendingReplace, S::kAccepted,
                                                S::kPartiallyFilled, S::kPendingCancel, S::kCanceled}));
  EXPECT_EQ(p.d.requests(RequestKind::kSubmit).at(1).quantity, shares(16));
}

TEST(Replace, ALostAnswerIsLookedUpUnderTheNewId) {
  Pending p;
  std::vector<BrokerEvent> stream;
  p.d.broker.replace(p.request, stream);  // it arrived, and its answer did not
  p.deliver({p.d.broker.answer(BrokerEventKind::kSubmitUnknown, p.request)});
  EXPECT_EQ(sent_id(p.d, RequestKind::kLookup), p.request.client_order_id);
  p.deliver(stream);
  EXPECT_EQ(p.d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_TRUE(p.d.requests(RequestKind::kCancel).empty());
  p.d.now += kSecond;
  p.d.bar("IBM", 96);
  EXPECT_EQ(p.d.position("IBM", "a"), 20);
  EXPECT_TRUE(p.d.broker.faults.empty());
}

TEST(Replace, ALostRequestIsGivenUpAndTheOldOrderCancelled) {
  Pending p;
  p.deliver({p.d.broker.answer(BrokerEventKind::kSubmitUnknown, p.request)});
  using S = OrderState;
  EXPECT_EQ(states(p.d, p.request.client_order_id), (std::vector{S::kSubmitted, S::kUnknown, S::kRejected}));
  EXPECT_EQ(states(p.d, p.old_id).back(), S::kCanceled);
  EXPECT_EQ(p.d.requests(RequestKind::kReplace).size(), 1u);
  EXPECT_EQ(p.d.requests(RequestKind::kSubmit).at(1).quantity, shares(20));
}

TEST(Replace, FillsOfTheOldOrderMeanwhileShrinkTheNewOne) {
  Pending p;
  p.d.broker.slow_replaces = true;
  std::vector<BrokerEvent> stream;
  p.deliver({p.d.broker.replace(p.request, stream)});
  p.deliver(stream);
  p.d.broker.slow_replaces = false;
  p.d.now += kSecond;
  p.d.bar("IBM", 95, 95, 4 * kShare);  // 4 of the old 10, then the new 20 take over: 4 too many
  ASSERT_EQ(p.d.requests(RequestKind::kReplace).size(), 2u);
  EXPECT_EQ(p.d.requests(RequestKind::kReplace)[1].quantity, shares(16));
  p.d.now += kSecond;
  p.d.bar("IBM", 95);
  EXPECT_EQ(p.d.position("IBM", "a"), 20);
  EXPECT_EQ(p.d.broker.positions["IBM"], 20 * kShare);
  EXPECT_TRUE(p.d.broker.faults.empty());
}

TEST(Replace, AnOldOrderThatFillsFirstLeavesTheRestToANewOne) {
  Pending p;
  p.d.broker.slow_replaces = true;
  std::vector<BrokerEvent> stream;
  p.deliver({p.d.broker.replace(p.request, stream)});
  p.deliver(stream);
  p.d.now += kSecond;
  p.d.bar("IBM", 95);
  using S = OrderState;
  EXPECT_EQ(states(p.d, p.old_id).back(), S::kFilled);
  EXPECT_EQ(states(p.d, p.request.client_order_id).back(), S::kRejected);
  p.d.flush();
  ASSERT_EQ(p.d.requests(RequestKind::kSubmit).size(), 2u);
  EXPECT_EQ(p.d.requests(RequestKind::kSubmit)[1].quantity, shares(10));
}

TEST(Replace, NewsOfTheNewOrderMayComeBeforeTheEndOfTheOld) {
  Pending p;
  std::vector<BrokerEvent> stream;
  const BrokerEvent answer = p.d.broker.replace(p.request, stream);
  std::vector<BrokerEvent> fills;
  p.d.now += kSecond;
  p.d.broker.trade(Desk::bar_of("IBM", p.d.now, 96, 96), fills);
  p.deliver(fills);  // the new order is filled; the old one still counts as being replaced
  EXPECT_EQ(states(p.d, p.old_id).back(), OrderState::kReplaced);  // by a look-up
  EXPECT_EQ(p.d.position("IBM", "a"), 20);
  const std::string before = p.d.engine.state_hash();
  p.deliver({answer});
  p.deliver(stream);
  p.deliver(fills);
  EXPECT_EQ(p.d.engine.state_hash(), before);
  EXPECT_EQ(p.d.engine.working_orders(), 0u);
  EXPECT_EQ(p.d.engine.account().cash, p.d.broker.cash);
}

TEST(Replace, WhileUnresolvedTheLargerOrderCounts) {
  Pending p;  // 10 at 95 become 20 at 96; the last price is 100
  EXPECT_EQ(p.d.engine.risk().gross_exposure, dollars(2000));
  p.deliver({p.d.broker.answer(BrokerEventKind::kSubmitRejected, p.request)});
  Desk d = desk();
  want_limit(d, 20, 95);
  d.answering = false;
  want_limit(d, 10, 96);
  EXPECT_EQ(d.engine.risk().gross_exposure, dollars(2000));
  std::vector<BrokerEvent> stream;
  d.feed(d.broker.replace(d.requests(RequestKind::kReplace).at(0), stream));
  EXPECT_EQ(d.engine.risk().gross_exposure, dollars(2000));  // a 200 guarantees nothing
  for (const auto& e : stream) d.feed(e);
  EXPECT_EQ(d.engine.risk().gross_exposure, dollars(1000));
}

TEST(Replace, TheGateRefusesAReplaceAsItWouldANewOrder) {
  EngineConfig config = config_of({"IBM"}, {"a", "b"});
  config.limits.max_order_notional = dollars(1500).raw;
  Desk d = desk(config);
  want_limit(d, 10, 95);
  const IntentId larger = want_limit(d, 20, 95);
  EXPECT_EQ(d.verdicts(larger).at(0).code, RejectCode::kMaxOrderNotional);
  EXPECT_TRUE(d.requests(RequestKind::kReplace).empty());
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);  // nobody wants the old order any more
}

TEST(Replace, TheOldOrderDoesNotCountAgainstItsReplacement) {
  EngineConfig config = config_of({"IBM"}, {"a", "b"});
  config.limits.max_gross = 1'000'000;
  Desk d = desk(config);
  want_limit(d, 9'000, 95);
  want_limit(d, 9'900, 95);
  EXPECT_EQ(d.requests(RequestKind::kReplace).size(), 1u);
}

TEST(Replace, TheKillSwitchCancelsBoth) {
  for (const bool arrived : {false, true}) {
    Pending p;
    p.d.answering = false;
    p.d.halt(true);
    ASSERT_EQ(p.d.requests(RequestKind::kCancel).size(), 1u);
    EXPECT_EQ(p.d.requests(RequestKind::kCancel)[0].client_order_id, p.old_id);
    const BrokerRequest cancel = p.d.requests(RequestKind::kCancel)[0];
    p.d.answering = true;
    std::vector<BrokerEvent> stream, cancelled;
    if (arrived) {
      const BrokerEvent answer = p.d.broker.replace(p.request, stream);
      const BrokerEvent too_late = p.d.broker.cancel(cancel, cancelled);
      EXPECT_EQ(too_late.kind, BrokerEventKind::kCancelRejected);
      p.deliver({answer, too_late});
      p.deliver(stream);
    } else {
      const BrokerEvent done = p.d.broker.cancel(cancel, cancelled);
      p.deliver({done});
      p.deliver(cancelled);
      p.deliver({p.d.broker.replace(p.request, stream)});
    }
    EXPECT_EQ(p.d.engine.working_orders(), 0u) << arrived;
    for (const auto& [id, o] : p.d.broker.orders) EXPECT_FALSE(FakeBroker::open(o.view)) << id;
    EXPECT_EQ(p.d.all<KillRecord>().back().phase, KillPhase::kFlat) << arrived;
  }
}

TEST(Replace, ARestartFindsOutWhichOfTheTwoLives) {
  for (const bool arrived : {false, true}) {
    Pending p;
    std::vector<BrokerEvent> stream;
    if (arrived) p.d.broker.replace(p.request, stream);
    p.d.connect();
    p.d.flush();
    EXPECT_EQ(p.d.engine.working_orders(), 1u) << arrived;
    EXPECT_EQ(p.d.requests(RequestKind::kSubmit).size(), arrived ? 1u : 2u);
    p.d.now += kSecond;
    p.d.bar("IBM", 95);
    EXPECT_EQ(p.d.position("IBM", "a"), 20) << arrived;
    EXPECT_TRUE(p.d.broker.faults.empty()) << arrived;
  }
}

TEST(Replace, ALateFillOfAnOrderReplacedLongAgoIsStillBooked) {
  Desk d = desk();
  want_limit(d, 10, 95);
  want_limit(d, 10, 94);
  want_limit(d, 10, 93);
  ASSERT_EQ(d.requests(RequestKind::kReplace).size(), 2u);
  for (auto& [id, o] : d.broker.orders) {
    if (o.view.broker_order_id.view() != "b1") continue;
    std::vector<BrokerEvent> stream;
    d.broker.fill(o, 3 * kShare, dollars(95), stream);
    stream.at(0).order.state = OrderState::kReplaced;
    d.feed(stream.at(0));
  }
  EXPECT_EQ(d.position("IBM", "a"), 3);
  EXPECT_EQ(d.engine.account().cash, d.broker.cash);
}

}  // namespace
}  // namespace tradewind::testing
