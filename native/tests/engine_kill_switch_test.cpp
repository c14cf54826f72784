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

TEST(KillSwitch, FlattenWaitsForTheLink) {
  Desk d = holding();
  d.event(BrokerEventKind::kLinkDown);
  const std::size_t submits = d.requests(RequestKind::kSubmit).size();
  d.halt(true);
  EXPECT_EQ(phases(d).back(), KillPhase::kFlattenPending);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), submits);
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
  d.now += 2 * kSecond;
  d.feed(TimeUpdate{});
  closing = d.requests(RequestKind::kSubmit);
  ASSERT_EQ(closing.size(), first + 1);
  EXPECT_EQ(closing.back().symbol, no.order.symbol.empty() ? closing[first - 1].symbol : no.order.symbol);
  EXPECT_FALSE(closing.back().client_order_id == no.order.client_order_id);
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
