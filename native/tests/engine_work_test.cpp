// Execution algorithms in the engine: what a schedule lets go, how slices net, what ends them, and that they repeat.
#include <unistd.h>

#include <filesystem>

#include "engine_workbench.hpp"
#include "tradewind/journal/journal.hpp"

namespace tradewind::testing {
namespace {

class Work : public ::testing::Test, public Workbench {};

TEST_F(Work, TwapSendsEqualSlicesAsTimePasses) {
  const Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
  want(intent);
  EXPECT_EQ(quantities(), Slices{25});
  d.now += kMinute / 2;
  d.bar("IBM", 100);
  d.feed(TimeUpdate{});
  EXPECT_EQ(quantities(), Slices{25}) << "the next slice has not begun";
  d.now += kMinute / 2;
  d.feed(TimeUpdate{});
  EXPECT_EQ(quantities(), (Slices{25, 25}));
  for (int i = 0; i < 6; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{25, 25, 25, 25}));
  EXPECT_EQ(d.position("IBM", "a"), 100);
  const auto verdicts = d.verdicts(intent.id);
  ASSERT_EQ(verdicts.size(), 1u) << "one verdict for the intent, none for its slices";
  EXPECT_TRUE(verdicts[0].accepted);
}

TEST_F(Work, SellsAreSlicedToo) {
  want(scheduled("a", -90, plan_of(Algorithm::kTwap, 3)));
  for (int i = 0; i < 3; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{-30, -30, -30}));
}

TEST_F(Work, UnfilledSharesArePlannedAnew) {
  Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 5));
  intent.order_type = OrderType::kLimit;
  intent.limit_price = intent.reference_price = dollars(100);
  intent.plan.urgency = 1'000'000;
  want(intent);
  minute(100, 5 * kShare);  // 5 of 20: 15 are made up for, and 80 over 4 slices
  ASSERT_EQ(quantities(), (Slices{20, 35}));
  EXPECT_EQ(d.requests(RequestKind::kReplace).size(), 1u) << "one order works, with what both slices still want";
  EXPECT_EQ(d.position("IBM", "a"), 5);
}

TEST_F(Work, LimitFollowsThePriceAtItsDistance) {
  Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
  intent.order_type = OrderType::kLimit;
  intent.reference_price = dollars(100);
  intent.limit_price = dollars(100.05);
  want(intent);
  minute(110);  // beyond the limit: nothing fills
  const auto sent = orders();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].limit_price, dollars(100.05));
  EXPECT_EQ(sent[1].limit_price, dollars(110.06)) << "110.055 to the next cent, towards filling";
}

TEST_F(Work, UrgentRestCrossesAtTheEndOfTheWindow) {
  for (const auto& [urgency, type] : {std::pair{500'000, OrderType::kLimit}, std::pair{500'001, OrderType::kMarket}}) {
    Workbench other;
    Intent intent = other.scheduled("a", 100, plan_of(Algorithm::kTwap, 2));
    intent.order_type = OrderType::kLimit;
    intent.limit_price = dollars(90);
    intent.plan.urgency = urgency;
    other.want(intent);
    for (int i = 0; i < 3; ++i) other.minute();
    const auto last = other.orders().back();
    EXPECT_EQ(last.order_type, type);
    EXPECT_EQ(other.d.position("IBM", "a"), type == OrderType::kMarket ? 100 : 0);
  }
}

TEST_F(Work, ParticipationCountsOnlyVolumeThatHasTraded) {
  want(scheduled("a", 250, plan_of(Algorithm::kParticipation, 2, 100'000)));
  EXPECT_EQ(quantities(), Slices{}) << "nothing has traded yet; the intent is accepted and waits";
  EXPECT_EQ(d.engine.counts().accepted, 1u);
  for (int i = 0; i < 5; ++i) minute();  // 1000 shares each
  EXPECT_EQ(quantities(), (Slices{100, 100, 50}));
  EXPECT_EQ(d.position("IBM", "a"), 250);
}

TEST_F(Work, SlicesOfSeveralStrategiesNet) {
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));  // buys 25 a minute
  minute();
  want(scheduled("b", -10, ExecutionPlan{}));  // sells 10 at once
  // The second slice of `a` was out; what is needed now is 25 - 10.
  EXPECT_EQ(quantities(), (Slices{25, 25, 15}));
  for (int i = 0; i < 4; ++i) minute();
  EXPECT_EQ(d.position("IBM", "a"), 100);
  EXPECT_EQ(d.position("IBM", "b"), -10);
  EXPECT_EQ(d.position("IBM"), 90);
  EXPECT_TRUE(d.broker.faults.empty());
}

TEST_F(Work, OppositeSlicesCrossInside) {
  d.feed(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));
  want(scheduled("b", -100, plan_of(Algorithm::kTwap, 4)));
  for (int i = 0; i < 5; ++i) minute();
  EXPECT_EQ(quantities(), Slices{});
  EXPECT_EQ(d.position("IBM", "a"), 100);
  EXPECT_EQ(d.position("IBM", "b"), -100);
}

TEST_F(Work, ExitsAreNotHeldBack) {
  want(scheduled("a", 100, ExecutionPlan{}));
  minute();
  want(scheduled("a", 0, plan_of(Algorithm::kTwap, 10)));
  EXPECT_EQ(quantities(), (Slices{100, -100}));
  minute();
  EXPECT_EQ(d.position("IBM", "a"), 0);
}

TEST_F(Work, AcrossZeroTheClosingPartGoesAtOnce) {
  want(scheduled("a", 100, ExecutionPlan{}));
  minute();
  want(scheduled("a", -40, plan_of(Algorithm::kTwap, 4)));
  EXPECT_EQ(quantities(), (Slices{100, -100}));
  for (int i = 0; i < 5; ++i) minute();
  // The first slice of 10 waited for the close: half of it is made up for (urgency 0.5), and a third of the other 35.
  EXPECT_EQ(quantities(), (Slices{100, -100, -(5 + 12), -12, -11}));
  EXPECT_EQ(d.position("IBM", "a"), -40);
}

TEST_F(Work, KillSwitchIgnoresTheSchedule) {
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));
  minute();
  minute();
  d.halt(true);
  minute();
  EXPECT_EQ(d.position("IBM", "a"), 0) << "closed in one order";
  d.resume("ada");
  for (int i = 0; i < 5; ++i) minute();
  EXPECT_EQ(d.position("IBM", "a"), 0) << "the schedule has ended";
}

TEST_F(Work, NewDecisionsTheSameWayKeepTheWindow) {
  for (int i = 0; i < 4; ++i) {  // a strategy that decides with every bar
    ExecutionPlan plan = plan_of(Algorithm::kTwap, 4);
    plan.risk_rate = i;  // of the volatility of the moment
    want(scheduled("a", 100, plan));
    minute();
  }
  EXPECT_EQ(d.position("IBM", "a"), 100);
  EXPECT_EQ(quantities(), (Slices{25, 25, 25, 25}));
}

TEST_F(Work, AnotherPlanBeginsAnew) {
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));
  minute();  // the second slice is out, the first has filled
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 3)));
  EXPECT_EQ(quantities().back(), 25) << "75 over three slices";
  for (int i = 0; i < 4; ++i) minute();
  EXPECT_EQ(d.position("IBM", "a"), 100);
}

TEST_F(Work, SliceThatTheBrokerEndsWaitsForTheNext) {
  Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
  intent.time_in_force = TimeInForce::kIoc;
  want(intent);
  d.feed(ended(OrderState::kCanceled));
  d.feed(TimeUpdate{});
  EXPECT_EQ(quantities(), Slices{25}) << "not sent again at once";
  d.broker.orders.clear();
  d.now += kMinute;
  d.feed(TimeUpdate{});
  // Half of the 25 (urgency 0.5, to the nearest even: 12) and a third of the other 88.
  EXPECT_EQ(quantities(), (Slices{25, 12 + 29}));
  d.feed(ended(OrderState::kRejected));
  for (int i = 0; i < 5; ++i) minute();
  EXPECT_EQ(quantities().size(), 2u) << "a refusal by the broker ends the intent";
}

TEST_F(Work, RefusedSliceEndsTheSchedule) {
  EngineConfig config = config_of({"IBM"}, {"a", "b"});
  config.limits.max_trades_per_day = 2;
  d.engine.reconfigure(config);
  const Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
  want(intent);
  for (int i = 0; i < 5; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{25, 25}));
  const auto verdicts = d.verdicts(intent.id);
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[1].code, RejectCode::kTradesPerDay);
  EXPECT_EQ(verdicts[1].slice, 3u);
}

TEST_F(Work, AfterValidUntilTheRestIsGivenUp) {
  Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
  intent.valid_until = d.now + kMinute;
  want(intent);
  for (int i = 0; i < 6; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{25, 25}));
  EXPECT_EQ(d.position("IBM", "a"), 50);
}

TEST_F(Work, SmartRoutingIsDecidedByTheEngine) {
  ExecutionPlan plan = plan_of(Algorithm::kSmart, 4);
  plan.urgency = 900'000;
  Intent small = scheduled("a", 10, plan);
  small.order_type = OrderType::kLimit;
  small.limit_price = dollars(99);
  want(small);  // 10 of a bar's 1000
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().order_type, OrderType::kMarket);
  minute();
  plan.urgency = 500'000;
  want(scheduled("b", 400, plan));
  EXPECT_EQ(quantities(), (Slices{10, 100})) << "large: TWAP over four slices";
}

TEST_F(Work, PlansWithoutSenseAreRefused) {
  const Intent intent = scheduled("a", 100, plan_of(Algorithm::kParticipation, 4));
  want(intent);
  EXPECT_EQ(quantities(), Slices{});
  ASSERT_EQ(d.verdicts(intent.id).size(), 1u);
  EXPECT_EQ(d.verdicts(intent.id)[0].code, RejectCode::kIntentInvalid);
}

TEST_F(Work, SameIdWithAnotherPlanIsAConflict) {
  Intent intent = scheduled("a", 100, plan_of(Algorithm::kTwap, 4));
  want(intent);
  intent.plan.urgency = 1;
  want(intent);
  ASSERT_EQ(d.verdicts(intent.id).size(), 2u);
  EXPECT_EQ(d.verdicts(intent.id)[1].code, RejectCode::kIntentConflict);
}

TEST_F(Work, ConfigurationChangesKeepTheSchedule) {
  want(scheduled("a", 100, plan_of(Algorithm::kTwap, 4)));
  minute();
  d.engine.reconfigure(config_of({"AAA", "IBM"}, {"0", "a"}));  // other slots
  for (int i = 0; i < 4; ++i) minute();
  EXPECT_EQ(quantities(), (Slices{25, 25, 25, 25}));
  EXPECT_EQ(d.position("IBM", "a"), 100);
}

// Every algorithm, jittered and capped, through partial fills: an executor that restarts from its journal after every
// record sends the same slices.
TEST_F(Work, RestartsFromTheJournalGiveTheSameSlices) {
  std::vector<Input> inputs;
  {
    Desk live(config_of({"IBM"}, {"a", "b"}));
    const auto keep = [&](const auto& body) {
      Input input;
      input.now = live.now;
      input.body = body;
      std::deque<Input> queue{input};
      while (!queue.empty()) {
        inputs.push_back(queue.front());
        live.engine.step(queue.front(), live.outputs);
        queue.pop_front();
        for (const BrokerRequest& request : std::vector<BrokerRequest>(live.outputs.requests)) {
          for (const BrokerEvent& event : live.answer(request)) queue.push_back(Input{live.now, 0, -1, event});
        }
      }
    };
    BrokerEvent up;
    up.kind = BrokerEventKind::kLinkUp;
    keep(up);
    Control flush;
    flush.kind = ControlKind::kFlush;
    for (int i = 0; i < 60; ++i) {
      live.now += kMinute;
      const BarUpdate bar = Desk::bar_of("IBM", live.now, 100 + i % 3, 100 + i % 5);
      std::vector<BrokerEvent> stream;
      live.broker.trade(bar, stream, 7 * kShare);
      for (const BrokerEvent& e : stream) keep(e);
      keep(bar);
      keep(TimeUpdate{});
      if (i % 10 != 0) continue;
      for (const char* strategy : {"a", "b"}) {
        Intent intent = live.intent_of(strategy, "IBM", (i / 10 % 2 == 0 ? 1 : -1) * (strategy[0] == 'a' ? 300 : -90));
        intent.valid_until = live.now + 60 * kMinute;
        intent.plan = plan_of(static_cast<Algorithm>(1 + (i / 10 + strategy[0]) % 6), 8, 300'000);
        intent.plan.jitter = 400'000;
        intent.plan.risk_rate = 5'000'000'000;
        keep(intent);
      }
      keep(flush);
    }
    EXPECT_GT(live.engine.counts().orders, 30u);
    EXPECT_TRUE(live.broker.faults.empty());
  }
  const auto run = [&](bool restarting) {
    const auto path = std::filesystem::temp_directory_path() / ("tradewind-work-" + std::to_string(::getpid()));
    std::filesystem::remove(path);
    auto engine = std::make_unique<DurableEngine>(path, config_of({"IBM"}, {"a", "b"}), SyncPolicy::kNone);
    std::size_t count = 0;
    for (const Input& input : inputs) {
      (void)engine->step(input);
      if (!restarting || ++count % 40 != 0) continue;
      engine.reset();
      engine = std::make_unique<DurableEngine>(path, config_of({"IBM"}, {"a", "b"}), SyncPolicy::kNone);
    }
    const std::string hashes = engine->engine().decision_hash() + engine->engine().state_hash();
    engine.reset();
    std::filesystem::remove(path);
    return hashes;
  };
  EXPECT_EQ(run(true), run(false));
}

}  // namespace
}  // namespace tradewind::testing
