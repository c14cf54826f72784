// Comparing with the broker while trading goes on, orders that are not ours, and life without the lease.
#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

constexpr Time kEvery = 300 * kSecond;

Desk desk_of() {
  EngineConfig c = config_of({"AAA", "IBM"}, {"a"});
  c.reconcile_every = kEvery;
  return Desk(std::move(c));
}

void begin(Desk& d) {
  d.connect();
  d.bar("IBM", 100);
  d.bar("AAA", 100);
}

void control(Desk& d, ControlKind kind) {
  Control c;
  c.kind = kind;
  d.feed(c);
}

void pass(Desk& d, Time time) {
  d.now += time;
  d.feed(TimeUpdate{});
}

// A person's order at the broker, filled at once.
BrokerEvent foreign(Desk& d, const std::string& id, std::int64_t quantity) {
  BrokerOrder view;
  view.client_order_id = ClientOrderId(id);
  view.broker_order_id = BrokerOrderId("broker-" + id);
  view.symbol = Symbol("IBM");
  view.side = quantity > 0 ? Side::kBuy : Side::kSell;
  view.quantity = view.filled = shares(std::abs(quantity));
  view.filled_avg_price = dollars(100);
  view.state = OrderState::kFilled;
  d.broker.orders[id].view = view;
  d.broker.positions["IBM"] += quantity * kShare;
  d.broker.cash.raw -= quantity * dollars(100).raw;
  BrokerEvent e;
  e.kind = BrokerEventKind::kTradeUpdate;
  e.order = view;
  e.execution_quantity = view.filled;
  e.execution_price = view.filled_avg_price;
  return e;
}

int alerts(const Desk& d, std::string_view words) {
  int count = 0;
  for (const Alert& a : d.all<Alert>()) count += a.text.view().find(words) != std::string_view::npos ? 1 : 0;
  return count;
}

TEST(Reconcile, TheBrokerIsAskedEveryIntervalAndTradingGoesOnMeanwhile) {
  Desk d = desk_of();
  begin(d);
  const std::size_t asked = d.requests(RequestKind::kSnapshot).size();
  pass(d, kEvery - 1);
  EXPECT_EQ(d.requests(RequestKind::kSnapshot).size(), asked);
  d.answering = false;
  pass(d, 1);
  EXPECT_EQ(d.requests(RequestKind::kSnapshot).size(), asked + 1);
  EXPECT_TRUE(d.engine.ready());
  const IntentId id = d.want("a", "IBM", 5);
  d.flush();
  EXPECT_TRUE(d.verdicts(id).at(0).accepted);
}

TEST(Reconcile, AFillWhoseMessageWasDroppedIsFoundInTheOrders) {
  Desk d = desk_of();
  begin(d);
  d.want("a", "IBM", 5);
  d.flush();
  std::vector<BrokerEvent> dropped;
  d.broker.trade(Desk::bar_of("IBM", d.now, 101, 101), dropped);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(d.position("IBM"), 0);
  pass(d, kEvery);
  EXPECT_EQ(d.position("IBM"), 5);
  EXPECT_EQ(d.engine.account().cash.raw, d.broker.cash.raw);
  EXPECT_EQ(d.engine.working_orders(), 0u);
  EXPECT_EQ(alerts(d, "the broker holds"), 0);
}

TEST(Reconcile, AnOrderThatIsNotOursIsNamedAndItsSymbolTakesNoEntries) {
  Desk d = desk_of();
  begin(d);
  d.want("a", "IBM", 5);
  d.flush();
  d.bar("IBM", 100);
  ASSERT_EQ(d.position("IBM"), 5);
  const BrokerEvent by_hand = foreign(d, "by-hand", 3);
  d.feed(by_hand);
  BrokerEvent late = by_hand;  // a message of before the fill, overtaken by it, and the fill again
  late.order.state = OrderState::kAccepted;
  late.order.filled = late.execution_quantity = {};
  d.feed(late);
  d.feed(by_hand);
  EXPECT_EQ(alerts(d, "an order that is not ours: buy, 3 of 3 filled, order by-hand (the broker's broker-by-hand)"), 1);
  pass(d, 1);
  EXPECT_EQ(alerts(d, "the broker holds 8, the sub-books add up to 5"), 1);
  d.bar("IBM", 100);
  const IntentId entry = d.want("a", "IBM", 6);
  d.flush();
  EXPECT_EQ(d.verdicts(entry).at(0).code, RejectCode::kPositionMismatch);
  const IntentId elsewhere = d.want("a", "AAA", 1);
  d.flush();
  EXPECT_TRUE(d.verdicts(elsewhere).at(0).accepted);
  const IntentId exit = d.want("a", "IBM", 2);  // reduces both the books' position and the broker's
  d.flush();
  EXPECT_TRUE(d.verdicts(exit).at(0).accepted);
  d.bar("IBM", 100);
  EXPECT_EQ(d.position("IBM"), 2);
  d.feed(foreign(d, "undone", -3));
  pass(d, 1);
  EXPECT_EQ(alerts(d, "agree again"), 1);
  const IntentId again = d.want("a", "IBM", 6);
  d.flush();
  EXPECT_TRUE(d.verdicts(again).at(0).accepted);
  pass(d, kEvery);
  EXPECT_EQ(alerts(d, "an order that is not ours"), 2);  // each named once, however often it is seen
}

TEST(Reconcile, AnExitThatWouldTurnTheBrokersPositionIsRefused) {
  Desk d = desk_of();
  begin(d);
  d.want("a", "IBM", 5);
  d.flush();
  d.bar("IBM", 100);
  d.feed(foreign(d, "by-hand", -4));
  pass(d, 1);
  d.bar("IBM", 100);
  const IntentId exit = d.want("a", "IBM", 0);
  d.flush();
  EXPECT_EQ(d.verdicts(exit).at(0).code, RejectCode::kPositionMismatch);
}

TEST(Lease, WithoutItNothingIsSentButCancels) {
  Desk d = desk_of();
  begin(d);
  d.want("a", "IBM", 5);
  d.flush();
  control(d, ControlKind::kLeaseLost);
  EXPECT_FALSE(d.engine.ready());
  EXPECT_TRUE(d.engine.fenced());
  const std::size_t submits = d.requests(RequestKind::kSubmit).size(),
                    asked = d.requests(RequestKind::kSnapshot).size();
  const IntentId refused = d.want("a", "AAA", 1);
  d.flush();
  EXPECT_EQ(d.verdicts(refused).at(0).code, RejectCode::kLeaseLost);
  d.halt(true);  // cancels, and does not flatten
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  d.event(BrokerEventKind::kLinkDown);
  d.connect();
  pass(d, 2 * kEvery);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), submits);
  EXPECT_EQ(d.requests(RequestKind::kSnapshot).size(), asked);
  EXPECT_FALSE(d.engine.ready());
}

TEST(Lease, HeldAgainItReconcilesBeforeItTrades) {
  Desk d = desk_of();
  begin(d);
  control(d, ControlKind::kLeaseLost);
  const std::size_t asked = d.requests(RequestKind::kSnapshot).size();
  d.answering = false;
  control(d, ControlKind::kLeaseHeld);
  EXPECT_EQ(d.requests(RequestKind::kSnapshot).size(), asked + 1);
  EXPECT_FALSE(d.engine.ready());
  for (const BrokerEvent& e : d.broker.snapshot(d.sent.back())) d.feed(e);
  EXPECT_TRUE(d.engine.ready());
}

TEST(Lease, AnOrderHeldBackIsRefusedUnderItsOwnCode) {
  Desk d = desk_of();
  begin(d);
  d.answering = false;
  d.want("a", "IBM", 5);
  d.flush();
  BrokerEvent e;
  e.kind = BrokerEventKind::kSubmitRejected;
  e.request_id = d.sent.back().request_id;
  e.order.client_order_id = d.sent.back().client_order_id;
  e.code = kCodeLeaseLost;
  d.feed(e);
  EXPECT_EQ(d.all<OrderRecord>().back().state, OrderState::kRejected);
  EXPECT_EQ(d.all<OrderRecord>().back().code, RejectCode::kLeaseLost);
}

}  // namespace
}  // namespace tradewind::testing
