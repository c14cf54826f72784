// Messages of an order in every order, twice and late: the same books. Lost answers, look-ups, reconciliation.
#include <algorithm>

#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

struct Scene {
  Desk desk{config_of({"IBM"}, {"a", "b"})};
  BrokerRequest request;
};

// One netted order of 70 (a wants 100, b wants -30) is out and unanswered.
Scene scene() {
  Scene s;
  s.desk.connect();
  s.desk.bar("IBM", 100);
  s.desk.answering = false;
  s.desk.want("a", "IBM", 100);
  s.desk.want("b", "IBM", -30);
  s.desk.flush();
  s.request = s.desk.requests(RequestKind::kSubmit).at(0);
  return s;
}

BrokerEvent message(const BrokerRequest& r, BrokerEventKind kind, OrderState state, std::int64_t filled,
                    double average) {
  BrokerEvent e;
  e.kind = kind;
  if (kind != BrokerEventKind::kTradeUpdate) e.request_id = r.request_id;
  e.order.client_order_id = r.client_order_id;
  e.order.broker_order_id = BrokerOrderId("b1");
  e.order.symbol = r.symbol;
  e.order.side = r.side;
  e.order.quantity = r.quantity;
  e.order.state = state;
  e.order.filled = shares(filled);
  e.order.filled_avg_price = dollars(average);
  return e;
}

std::vector<BrokerEvent> story(const BrokerRequest& r, OrderState end) {
  using K = BrokerEventKind;
  const bool filled = end == OrderState::kFilled;
  std::vector<BrokerEvent> m = {
      message(r, K::kSubmitAccepted, OrderState::kAccepted, 0, 0),
      message(r, K::kTradeUpdate, OrderState::kAccepted, 0, 0),
      message(r, K::kTradeUpdate, OrderState::kPartiallyFilled, 21, 33.33333333),
      message(r, K::kTradeUpdate, OrderState::kPartiallyFilled, 22, 33.7),
      message(r, K::kTradeUpdate, end, filled ? 70 : 22, filled ? 41.00000007 : 33.7),
  };
  m[2].execution_id = ExecutionId("x1");
  return m;
}

class Permutations : public ::testing::TestWithParam<OrderState> {};

TEST_P(Permutations, EveryOrderOfTheMessagesGivesTheSameState) {
  std::vector<int> order = {0, 1, 2, 3, 4};
  std::set<std::string> states;
  std::set<std::int64_t> cash;
  int count = 0;
  do {
    for (const int twice : {-1, 0, 2, 4}) {
      Scene s = scene();
      const auto messages = story(s.request, GetParam());
      for (const int i : order) {
        s.desk.feed(messages[static_cast<std::size_t>(i)]);
        if (i == twice) s.desk.feed(messages[static_cast<std::size_t>(i)]);
      }
      states.insert(s.desk.engine.state_hash());
      cash.insert(s.desk.engine.account().cash.raw);
      std::int64_t recorded = 0;
      for (const auto& f : s.desk.all<FillRecord>())
        recorded += f.side == Side::kBuy ? f.quantity.raw : -f.quantity.raw;
      ASSERT_EQ(recorded / kShare, s.desk.position("IBM"));
      ++count;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(count, 480);
  EXPECT_EQ(states.size(), 1u);
  const bool filled = GetParam() == OrderState::kFilled;
  EXPECT_EQ(*cash.begin(),
            dollars(1'000'000).raw -
                (filled ? notional(dollars(41.00000007), shares(70)) : notional(dollars(33.7), shares(22)))->raw);
}

INSTANTIATE_TEST_SUITE_P(Ends, Permutations,
                         ::testing::Values(OrderState::kFilled, OrderState::kCanceled, OrderState::kExpired));

TEST(Messages, ALostAnswerIsLookedUpAndAdopted) {
  Scene s = scene();
  s.desk.feed(message(s.request, BrokerEventKind::kSubmitUnknown, OrderState::kNone, 0, 0));
  const auto lookups = s.desk.requests(RequestKind::kLookup);
  ASSERT_EQ(lookups.size(), 1u);
  EXPECT_EQ(lookups[0].client_order_id, s.request.client_order_id);
  s.desk.flush();
  EXPECT_EQ(s.desk.requests(RequestKind::kSubmit).size(), 1u);  // nothing else while it is unknown
  BrokerEvent found = message(lookups[0], BrokerEventKind::kLookupFound, OrderState::kFilled, 70, 100);
  s.desk.feed(found);
  EXPECT_EQ(s.desk.position("IBM"), 70);
  EXPECT_EQ(s.desk.engine.pending_requests(), 0u);
}

TEST(Messages, AnOrderThatNeverArrivedIsSentAgainUnderTheSameId) {
  Scene s = scene();
  const std::string decisions = s.desk.engine.decision_hash();
  s.desk.feed(message(s.request, BrokerEventKind::kSubmitUnknown, OrderState::kNone, 0, 0));
  s.desk.feed(
      message(s.desk.requests(RequestKind::kLookup).at(0), BrokerEventKind::kLookupMissing, OrderState::kNone, 0, 0));
  const auto submits = s.desk.requests(RequestKind::kSubmit);
  ASSERT_EQ(submits.size(), 2u);
  EXPECT_EQ(submits[1].client_order_id, s.request.client_order_id);
  EXPECT_EQ(submits[1].quantity, s.request.quantity);
  EXPECT_EQ(s.desk.engine.decision_hash(), decisions);  // no new decision
  // Both arrive after all: the broker refuses the second, and the first is looked up.
  s.desk.feed(message(submits[1], BrokerEventKind::kDuplicate, OrderState::kNone, 0, 0));
  ASSERT_EQ(s.desk.requests(RequestKind::kLookup).size(), 2u);
  s.desk.feed(
      message(s.desk.requests(RequestKind::kLookup)[1], BrokerEventKind::kLookupFound, OrderState::kAccepted, 0, 0));
  EXPECT_EQ(s.desk.engine.working_orders(), 1u);
}

// Sent again as it was, it would buy what a fill that came late has bought already.
TEST(Messages, AnOrderThatNeverArrivedAndIsTooLargeByNowIsNettedAnew) {
  Scene s = scene();
  s.desk.feed(message(s.request, BrokerEventKind::kSubmitAccepted, OrderState::kAccepted, 0, 0));
  s.desk.feed(message(s.request, BrokerEventKind::kTradeUpdate, OrderState::kExpired, 0, 0));
  s.desk.now += kSecond;
  s.desk.want("a", "IBM", 100);
  s.desk.want("b", "IBM", -30);
  s.desk.flush();
  const BrokerRequest second = s.desk.requests(RequestKind::kSubmit).at(1);
  ASSERT_EQ(second.quantity, shares(70));
  s.desk.feed(message(second, BrokerEventKind::kSubmitUnknown, OrderState::kNone, 0, 0));
  s.desk.feed(message(s.request, BrokerEventKind::kTradeUpdate, OrderState::kExpired, 20, 100));
  s.desk.feed(
      message(s.desk.requests(RequestKind::kLookup).at(0), BrokerEventKind::kLookupMissing, OrderState::kNone, 0, 0));
  s.desk.flush();
  const auto submits = s.desk.requests(RequestKind::kSubmit);
  ASSERT_EQ(submits.size(), 3u);
  EXPECT_NE(submits[2].client_order_id, second.client_order_id);
  EXPECT_EQ(submits[2].quantity, shares(50));
}

TEST(Messages, NothingIsSentAgainOnceTheKillSwitchIsLatched) {
  Scene s = scene();
  s.desk.feed(message(s.request, BrokerEventKind::kSubmitUnknown, OrderState::kNone, 0, 0));
  s.desk.halt(false);
  s.desk.feed(
      message(s.desk.requests(RequestKind::kLookup).at(0), BrokerEventKind::kLookupMissing, OrderState::kNone, 0, 0));
  EXPECT_EQ(s.desk.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_EQ(s.desk.engine.working_orders(), 0u);
  EXPECT_EQ(s.desk.all<OrderRecord>().back().code, RejectCode::kNeverArrived);
  // It was only slow: alive at the broker, it is cancelled.
  s.desk.feed(message(s.request, BrokerEventKind::kTradeUpdate, OrderState::kAccepted, 0, 0));
  ASSERT_EQ(s.desk.requests(RequestKind::kCancel).size(), 1u);
  EXPECT_EQ(s.desk.requests(RequestKind::kCancel)[0].broker_order_id.view(), "b1");
}

TEST(Messages, AFillOfAFinishedOrderIsBookedBelowTheCurrentOne) {
  Scene s = scene();
  s.desk.feed(message(s.request, BrokerEventKind::kTradeUpdate, OrderState::kCanceled, 0, 0));
  s.desk.want("a", "IBM", 10);
  s.desk.flush();
  const BrokerRequest second = s.desk.requests(RequestKind::kSubmit).at(1);
  BrokerEvent part = message(second, BrokerEventKind::kTradeUpdate, OrderState::kPartiallyFilled, 4, 100);
  part.order.broker_order_id = BrokerOrderId("b2");
  s.desk.feed(part);
  s.desk.feed(message(s.request, BrokerEventKind::kTradeUpdate, OrderState::kCanceled, 7, 100));
  EXPECT_EQ(s.desk.position("IBM"), 11);
  EXPECT_EQ(s.desk.position("IBM", "a"), 14);  // 10 of the first order's 7, 4 of the second
  EXPECT_EQ(s.desk.position("IBM", "b"), -3);
}

TEST(Reconcile, NothingIsAcceptedBeforeItIsDone) {
  Desk d(config_of({"IBM"}, {"a"}));
  d.answering = false;
  d.connect();
  d.bar("IBM", 100);
  const IntentId id = d.want("a", "IBM", 1);
  d.flush();
  EXPECT_EQ(d.verdicts(id).at(0).code, RejectCode::kNotReconciled);
  for (const BrokerEvent& e : d.broker.snapshot(d.requests(RequestKind::kSnapshot).at(0))) d.feed(e);
  EXPECT_TRUE(d.engine.ready());
}

TEST(Reconcile, AnUnexplainedPositionBlocksItsSymbolOnly) {
  Desk d(config_of({"AAA", "IBM"}, {"a"}));
  d.broker.positions["IBM"] = 5 * kShare;
  d.broker.prices["IBM"] = dollars(100);
  d.connect();
  d.bar("AAA", 10);
  d.bar("IBM", 100);
  const IntentId bad = d.want("a", "IBM", 1);
  const IntentId good = d.want("a", "AAA", 1);
  d.flush();
  EXPECT_EQ(d.verdicts(bad).at(0).code, RejectCode::kPositionMismatch);
  EXPECT_TRUE(d.verdicts(good).at(0).accepted);
  bool alerted = false;
  for (const auto& a : d.all<Alert>())
    alerted = alerted || (a.severity == Severity::kCritical && a.symbol.view() == "IBM");
  EXPECT_TRUE(alerted);
}

TEST(Reconcile, FillsMissedWhileTheLinkWasDownAreBooked) {
  Desk d(config_of({"IBM"}, {"a"}));
  d.connect();
  d.bar("IBM", 100);
  d.want("a", "IBM", 10);
  d.flush();
  d.event(BrokerEventKind::kLinkDown);
  std::vector<BrokerEvent> lost;
  d.broker.trade(Desk::bar_of("IBM", d.now + kSecond, 100, 100), lost);
  EXPECT_FALSE(d.engine.ready());
  d.connect();
  EXPECT_TRUE(d.engine.ready());
  EXPECT_EQ(d.position("IBM", "a"), 10);
  EXPECT_EQ(d.engine.account().cash, d.broker.cash);
  const IntentId next = d.want("a", "IBM", 12);
  d.flush();
  EXPECT_TRUE(d.verdicts(next).at(0).accepted);
}

TEST(Reconcile, ASecondSliceWaitsForTheLinkAndIsNotLost) {
  Desk d(config_of({"IBM"}, {"a"}));
  d.connect();
  d.bar("IBM", 100);
  d.want("a", "IBM", 10);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  d.want("a", "IBM", -10);
  d.flush();
  d.event(BrokerEventKind::kLinkDown);
  std::vector<BrokerEvent> lost;
  d.broker.trade(Desk::bar_of("IBM", d.now + kSecond, 100, 100), lost);
  d.flush();
  d.connect();
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.position("IBM", "a"), -10);
}

TEST(Reconcile, AnOrderThatIsNotOursRaisesAnAlert) {
  Desk d(config_of({"IBM"}, {"a"}));
  FakeBroker::Order foreign;
  foreign.view.client_order_id = ClientOrderId("by-hand");
  foreign.view.broker_order_id = BrokerOrderId("b9");
  foreign.view.symbol = Symbol("IBM");
  foreign.view.state = OrderState::kAccepted;
  foreign.view.quantity = shares(1);
  d.broker.orders["by-hand"] = foreign;
  d.connect();
  EXPECT_TRUE(d.engine.ready());
  const auto alerts = d.all<Alert>();
  EXPECT_TRUE(
      std::any_of(alerts.begin(), alerts.end(), [](const Alert& a) { return a.severity == Severity::kCritical; }));
}

}  // namespace
}  // namespace tradewind::testing
