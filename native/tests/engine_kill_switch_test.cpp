// The kill switch step by step: latch, cancel, confirm, flatten, verify, release.
#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

Desk holding() {
  Desk d(config_of({"AAA", "IBM"}, {"a", "b"}));
  d.connect();
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  d.want("a", "IBM", 10);
  d.want("b", "AAA", -20);
  d.flush();
  d.now += kSecond;
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  return d;
}

std::vector<KillPhase> phases(const Desk& d) {
  std::vector<KillPhase> found;
  for (const auto& k : d.all<KillRecord>()) found.push_back(k.phase);
  return found;
}

TEST(KillSwitch, CancelsThenFlattensThenVerifies) {
  Desk d = holding();
  d.want("a", "IBM", 30);
  d.flush();
  d.answering = false;
  d.halt(true);
  const auto cancels = d.requests(RequestKind::kCancel);
  ASSERT_EQ(cancels.size(), 1u);
  const std::size_t submits = d.requests(RequestKind::kSubmit).size();
  // Nothing is closed before the cancel is confirmed.
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), submits);
  d.answering = true;
  for (const BrokerEvent& e : d.answer(cancels[0])) d.feed(e);
  const auto closing = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(closing.size(), submits + 2);
  for (std::size_t i = submits; i < closing.size(); ++i) EXPECT_EQ(closing[i].order_type, OrderType::kMarket);
  d.now += kSecond;
  d.bar("AAA", 51);
  d.bar("IBM", 99);
  EXPECT_EQ(d.broker.positions["IBM"], 0);
  EXPECT_EQ(d.broker.positions["AAA"], 0);
  EXPECT_EQ(phases(d), (std::vector{KillPhase::kLatched, KillPhase::kFlattening, KillPhase::kFlat}));
  EXPECT_TRUE(d.broker.faults.empty());
}

TEST(KillSwitch, RefusesEverythingWhileLatched) {
  Desk d = holding();
  d.halt(false);
  const std::size_t submits = d.requests(RequestKind::kSubmit).size();
  for (const std::int64_t target : {0, 5, 40}) {  // exits included: they are the switch's own business
    const IntentId id = d.want("a", "IBM", target);
    d.flush();
    ASSERT_EQ(d.verdicts(id).size(), 1u);
    EXPECT_EQ(d.verdicts(id)[0].code, RejectCode::kKillSwitch);
  }
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), submits);
  EXPECT_EQ(d.position("IBM"), 10);
}

TEST(KillSwitch, OnlyANamedPersonReleasesIt) {
  Desk d = holding();
  d.halt(true);
  d.now += kSecond;
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  d.resume("");
  EXPECT_TRUE(d.engine.kill_switch());
  d.resume("ada");
  EXPECT_FALSE(d.engine.kill_switch());
  const IntentId id = d.want("a", "IBM", 5);
  d.flush();
  EXPECT_TRUE(d.verdicts(id)[0].accepted);
}

TEST(KillSwitch, FlattenWaitsForABrokerThatDoesNotAnswer) {
  Desk d = holding();
  d.answering = false;
  d.event(BrokerEventKind::kLinkDown);
  const std::size_t submits = d.requests(RequestKind::kSubmit).size();
  d.halt(true);
  EXPECT_EQ(phases(d).back(), KillPhase::kFlattenPending);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), submits);
  d.answering = true;
  d.connect();
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), submits + 2);
  d.now += kSecond;
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  EXPECT_EQ(phases(d).back(), KillPhase::kFlat);
}

TEST(KillSwitch, AClosingOrderThatTheBrokerRefusesIsTriedAgainLater) {
  Desk d = holding();
  d.answering = false;
  d.halt(true);
  auto closing = d.requests(RequestKind::kSubmit);
  const std::size_t first = closing.size();
  BrokerEvent no;
  no.kind = BrokerEventKind::kSubmitRejected;
  no.request_id = closing.back().request_id;
  no.order.client_order_id = closing.back().client_order_id;
  no.text = ShortText("market is closed");
  d.feed(no);
  EXPECT_EQ(phases(d).back(), KillPhase::kFlattenPending);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), first);
  // It looks what else is at the broker before it tries again.
  const auto looks = d.requests(RequestKind::kSnapshot);
  ASSERT_EQ(looks.size(), 2u);
  d.answering = true;
  for (const BrokerEvent& e : d.answer(looks.back())) d.feed(e);
  const std::size_t looked = d.requests(RequestKind::kSubmit).size();
  d.now += 2 * kSecond;
  d.feed(TimeUpdate{});
  closing = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(closing.size(), looked + 1);
  EXPECT_EQ(closing.back().symbol, closing[first - 1].symbol);
  EXPECT_FALSE(closing.back().client_order_id == no.order.client_order_id);
}

// A bracket's leg, or a person's own order, holds the shares: the broker refuses to sell them twice.
TEST(KillSwitch, AnOrderThatNoBookKnowsIsCancelledWhenItHoldsTheShares) {
  Desk d = holding();
  FakeBroker::Order leg;
  leg.type = OrderType::kLimit;
  leg.view.client_order_id = ClientOrderId("somebody-else");
  leg.view.broker_order_id = BrokerOrderId("b-leg");
  leg.view.symbol = Symbol("IBM");
  leg.view.side = Side::kSell;
  leg.view.state = OrderState::kAccepted;
  leg.view.quantity = shares(10);
  leg.view.limit_price = dollars(500);
  d.broker.orders["somebody-else"] = leg;
  d.answering = false;
  d.halt(true);
  const std::size_t before = d.requests(RequestKind::kSubmit).size();
  for (const BrokerRequest& r : d.requests(RequestKind::kSubmit)) {
    if (r.symbol.view() != "IBM" || r.side != Side::kSell) continue;
    BrokerEvent no = d.broker.answer(BrokerEventKind::kSubmitRejected, r);
    no.http_status = 403;
    no.code = 40310000;
    no.text = ShortText("insufficient qty available for order");
    d.feed(no);
  }
  d.answering = true;
  for (const BrokerEvent& e : d.answer(d.requests(RequestKind::kSnapshot).back())) d.feed(e);
  ASSERT_FALSE(d.requests(RequestKind::kCancel).empty());
  EXPECT_EQ(d.requests(RequestKind::kCancel).back().broker_order_id.view(), "b-leg");
  EXPECT_EQ(d.broker.orders["somebody-else"].view.state, OrderState::kCanceled);
  d.now += 2 * kSecond;
  d.feed(TimeUpdate{});
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), before + 1);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(10));
}

// One closing order was refused, so the broker is to be asked what else is there; the other never arrived. Sent again
// it is under the account as just compared, and only then, in the same step, the next comparison begins.
TEST(KillSwitch, AClosingOrderIsSentAgainOnlyOnceReconciledAndBeforeTheNextLook) {
  Desk d = holding();
  d.answering = false;
  d.halt(true);
  const auto closing = d.requests(RequestKind::kSubmit);
  const BrokerRequest lost = closing.at(closing.size() - 2), refused = closing.back();
  d.event(BrokerEventKind::kLinkDown);
  d.event(BrokerEventKind::kLinkUp);
  BrokerEvent no = d.broker.answer(BrokerEventKind::kSubmitRejected, refused);
  no.http_status = 403;
  d.feed(no);
  d.feed(d.broker.answer(BrokerEventKind::kSubmitUnknown, lost));
  for (const BrokerEvent& e : d.answer(d.requests(RequestKind::kSnapshot).back())) {
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), closing.size());
    d.feed(e);
  }
  const BrokerRequest asked = d.requests(RequestKind::kLookup).back();
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), closing.size());
  EXPECT_FALSE(d.engine.ready());
  d.feed(d.broker.answer(BrokerEventKind::kLookupMissing, asked));
  ASSERT_EQ(d.outputs.requests.size(), 2u);
  EXPECT_EQ(d.outputs.requests[0].kind, RequestKind::kSubmit);
  EXPECT_EQ(d.outputs.requests[0].client_order_id, lost.client_order_id);
  EXPECT_EQ(d.outputs.requests[1].kind, RequestKind::kSnapshot);
  EXPECT_FALSE(d.engine.ready());
}

// Every REST answer and not one message of the stream.
void by_rest(Desk& d, std::size_t& answered) {
  for (; answered < d.sent.size(); ++answered) {
    std::vector<BrokerEvent> stream;
    const BrokerRequest request = d.sent[answered];
    if (request.kind == RequestKind::kSnapshot) {
      for (const BrokerEvent& e : d.broker.snapshot(request)) d.feed(e);
    } else if (request.kind == RequestKind::kSubmit) {
      d.feed(d.broker.submit(request, stream));
    } else if (request.kind == RequestKind::kCancel) {
      d.feed(d.broker.cancel(request, stream));
    } else {
      d.feed(d.broker.lookup(request));
    }
  }
}

TEST(KillSwitch, WithTheStreamDownItCancelsFlattensAndVerifiesByRest) {
  Desk d = holding();
  d.want("a", "IBM", 30);
  d.flush();  // works at the broker
  d.answering = false;
  std::size_t answered = d.sent.size();
  d.event(BrokerEventKind::kLinkDown);
  d.halt(true);
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  by_rest(d, answered);  // the cancel is taken; a snapshot shows it done; closing orders leave
  EXPECT_EQ(phases(d).back(), KillPhase::kFlattenPending);
  EXPECT_FALSE(d.engine.ready());
  std::vector<BrokerEvent> unheard;
  for (int round = 0; round < 8 && phases(d).back() != KillPhase::kFlat; ++round) {
    d.now += 60 * kSecond;
    d.broker.trade(Desk::bar_of("AAA", d.now, 51, 51), unheard);
    d.broker.trade(Desk::bar_of("IBM", d.now, 99, 99), unheard);
    d.feed(TimeUpdate{});
    by_rest(d, answered);
  }
  EXPECT_EQ(phases(d).back(), KillPhase::kFlat);
  EXPECT_EQ(d.broker.positions["IBM"], 0);
  EXPECT_EQ(d.broker.positions["AAA"], 0);
  EXPECT_EQ(d.position("IBM"), 0);
  EXPECT_TRUE(d.broker.faults.empty());
  EXPECT_TRUE(d.engine.kill_switch());
  // Released, it still sends nothing before the stream is back.
  d.resume("ada");
  d.now += kSecond;
  d.feed(Desk::bar_of("IBM", d.now, 99, 99));
  const IntentId id = d.want("a", "IBM", 1);
  d.flush();
  EXPECT_EQ(d.verdicts(id).at(0).code, RejectCode::kLinkDown);
}

TEST(KillSwitch, StrategiesThatCancelOutAreCrossedFlat) {
  Desk d(config_of({"IBM"}, {"a", "b"}));
  d.connect();
  d.bar("IBM", 100);
  d.want("a", "IBM", 10);
  d.want("b", "IBM", -10);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  ASSERT_EQ(d.position("IBM", "a"), 10);
  d.halt(true);
  d.now += kSecond;
  d.bar("IBM", 90);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "b"), 0);
  EXPECT_EQ(phases(d).back(), KillPhase::kFlat);
}

TEST(KillSwitch, DrawdownTripsItAndTheLadderShrinksBefore) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.limits.drawdown_reduce = 50'000;
  config.limits.drawdown_halve = 100'000;
  config.limits.drawdown_stop = 150'000;
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  d.want("a", "IBM", 10'000);  // the whole million
  d.flush();
  const auto mark = [&d](double price) {
    d.now += kSecond;
    d.bar("IBM", price);
    d.feed(TimeUpdate{});
    return d.engine.risk();
  };
  EXPECT_EQ(mark(100).size_factor, 1'000'000);
  EXPECT_EQ(mark(95.5).size_factor, 1'000'000);
  EXPECT_EQ(mark(95).size_factor, 750'000);
  EXPECT_EQ(mark(90).size_factor, 500'000);
  EXPECT_EQ(mark(97).size_factor, 500'000);  // back in by profitable days, not by a bounce
  EXPECT_FALSE(d.engine.kill_switch());
  mark(85);
  EXPECT_TRUE(d.engine.kill_switch());
  mark(85);
  EXPECT_EQ(d.broker.positions["IBM"], 0);
  EXPECT_EQ(phases(d).back(), KillPhase::kFlat);
  // Released, the size climbs by a quarter of the cut per profitable day.
  d.resume("ada");
  d.want("a", "IBM", 100);
  d.flush();
  mark(85);
  d.now += 86'400 * kSecond;
  mark(86);
  EXPECT_EQ(d.engine.risk().size_factor, 500'000);  // that day's profit counts when it has ended
  d.now += 86'400 * kSecond;
  mark(86);
  EXPECT_EQ(d.engine.risk().size_factor, 625'000);
  d.now += 86'400 * kSecond;
  mark(86);  // no profit, no step
  EXPECT_EQ(d.engine.risk().size_factor, 625'000);
}

}  // namespace
}  // namespace tradewind::testing
