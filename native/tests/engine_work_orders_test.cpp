// Execution algorithms beside order types, brackets, time-outs and refusals: which of them go together, and how.
#include <functional>

#include "engine_workbench.hpp"

namespace tradewind::testing {
namespace {

class WorkOrders : public ::testing::Test, public Workbench {};

TEST_F(WorkOrders, OrdersThatWaitForAPriceAreNotSlicedToo) {
  const std::vector<std::function<void(Intent&)>> terms = {
      [](Intent& i) {
        i.order_type = OrderType::kStop;
        i.terms.stop_price = dollars(105);
      },
      [](Intent& i) {
        i.order_type = OrderType::kTrailingStop;
        i.terms.trail_ratio = 10'000;
      },
      [](Intent& i) {
        i.order_type = OrderType::kLimit;
        i.limit_price = dollars(100);
        i.terms.extended_hours = true;
      },
      [](Intent& i) { i.stop_loss = dollars(95); },
      [](Intent& i) { i.take_profit = dollars(105); },
  };
  for (const auto& set : terms) {
    for (const Algorithm algorithm : {Algorithm::kTwap, Algorithm::kNone}) {
      Workbench other;
      Intent intent = other.scheduled("a", 10, plan_of(algorithm, 4));
      set(intent);
      other.want(intent);
      ASSERT_EQ(other.d.verdicts(intent.id).size(), 1u);
      EXPECT_EQ(other.d.verdicts(intent.id)[0].code,
                algorithm == Algorithm::kNone ? RejectCode::kOk : RejectCode::kPlanTerms);
    }
  }
}

TEST_F(WorkOrders, AmountsOfMoneyAreSliced) {
  Intent intent = scheduled("a", 0, plan_of(Algorithm::kTwap, 4));
  intent.target_notional = dollars(10'050);  // 100 shares, at 100
  want(intent);
  for (int i = 0; i < 5; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{25, 25, 25, 25}));
  EXPECT_EQ(d.position("IBM", "a"), 100);
}

TEST_F(WorkOrders, SlicesAreWholeSharesWhereTheBrokerTakesNoFraction) {
  for (const bool whole : {true, false}) {
    Workbench other;
    EngineConfig config = other.d.engine.config();
    config.symbols[0].quantity_increment.raw = kShare / 10;
    other.d.engine.reconfigure(config);
    Intent intent = other.scheduled("a", whole ? -10 : 10, plan_of(Algorithm::kTwap, 4));
    other.want(intent);
    EXPECT_EQ(other.orders().at(0).quantity.raw, whole ? 2 * kShare : 25 * kShare / 10) << "half to even";
    for (int i = 0; i < 5; ++i) other.minute();
    EXPECT_EQ(other.d.position("IBM", "a"), whole ? -10 : 10);
    EXPECT_EQ(other.d.verdicts(intent.id).size(), 1u) << "no slice is refused";
  }
}

// The order manager's rules hold for slices: too little filled is worked on, enough waits for the next slice.
TEST_F(WorkOrders, ASliceWhoseTimeIsUpIsWorkedOnUnlessEnoughIsFilled) {
  for (const std::int64_t filled : {19, 20}) {  // of 25
    Workbench other;
    EngineConfig config = other.d.engine.config();
    config.strategies[0].order_ttl = 20 * kSecond;
    other.d.engine.reconfigure(config);
    Intent intent = other.scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
    intent.order_type = OrderType::kLimit;
    intent.limit_price = dollars(99);
    other.want(intent);
    other.d.now += kSecond;
    other.d.bar("IBM", 99, 99, filled * kShare);
    for (int i = 0; i < 2; ++i) {
      other.d.now += 20 * kSecond;
      other.d.feed(TimeUpdate{});
    }
    EXPECT_EQ(other.quantities(), filled == 19 ? (Slices{25, 6}) : Slices{25});
    other.d.now += 20 * kSecond;
    other.d.feed(TimeUpdate{});
    // The unfilled half of 6 or 5 shares (to the nearest even: 3, 2), and a third of the other 78.
    EXPECT_EQ(other.quantities().back(), filled == 19 ? 3 + 26 : 2 + 26);
  }
}

TEST_F(WorkOrders, ASliceThatIsRefusedForNowIsTriedAgain) {
  d.answering = false;
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));
  BrokerEvent no = d.broker.answer(BrokerEventKind::kSubmitRejected, orders().back());
  no.http_status = 429;
  d.feed(no);
  d.answering = true;
  d.now += kSecond;
  d.feed(TimeUpdate{});
  EXPECT_EQ(quantities(), (Slices{25, 25}));
  for (int i = 0; i < 5; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{25, 25, 25, 25, 25}));
  EXPECT_EQ(d.position("IBM", "a"), 100);
}

TEST_F(WorkOrders, ALevelThatIsReachedEndsNoScheduleButItsOwn) {
  Intent held = scheduled("b", 40, ExecutionPlan{});
  held.stop_loss = dollars(95);
  want(held);
  minute();
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));
  for (int i = 0; i < 2; ++i) minute();
  minute(90);  // the stop of `b`: 40 out at once, against what `a` buys
  for (int i = 0; i < 4; ++i) minute(90);
  EXPECT_EQ(d.position("IBM", "b"), 0);
  EXPECT_EQ(d.position("IBM", "a"), 100);
  EXPECT_TRUE(d.broker.faults.empty());
}

}  // namespace
}  // namespace tradewind::testing
