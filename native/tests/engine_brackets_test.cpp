// Stop-loss and take-profit that the engine holds: either closes, whatever of the position is there, and only once.
#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

Desk desk(std::vector<std::string> strategies = {"a", "b"}) {
  Desk d(config_of({"IBM"}, strategies));
  d.connect();
  d.bar("IBM", 100);
  return d;
}

IntentId bracket(Desk& d, std::int64_t target, double stop, double take, const std::string& strategy = "a") {
  d.now += kSecond;
  Intent i = d.intent_of(strategy, "IBM", target);
  i.reference_price = dollars(100);
  i.stop_loss = dollars(stop);
  i.take_profit = dollars(take);
  d.feed(i);
  d.flush();
  return i.id;
}
void bar(Desk& d, double open, double close, std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  d.now += kSecond;
  d.bar("IBM", open, close, most);
}

TEST(Brackets, EitherLegClosesThePositionAtTheMarket) {
  for (const bool is_long : {true, false}) {
    for (const bool loss : {true, false}) {
      Desk d = desk();
      bracket(d, is_long ? 10 : -10, is_long ? 95 : 105, is_long ? 110 : 90);
      bar(d, 100, 101);
      ASSERT_EQ(d.position("IBM", "a"), is_long ? 10 : -10);
      bar(d, 100, is_long == loss ? 89 : 111);
      ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
      const BrokerRequest exit = d.requests(RequestKind::kSubmit)[1];
      EXPECT_EQ(exit.side, is_long ? Side::kSell : Side::kBuy);
      EXPECT_EQ(exit.order_type, OrderType::kMarket);
      EXPECT_EQ(exit.quantity, shares(10));
      EXPECT_EQ(d.all<OrderRecord>().back().exit, loss ? ExitReason::kStopLoss : ExitReason::kTakeProfit);
      EXPECT_TRUE(d.all<OrderRecord>().back().reduce_only);
      bar(d, 94, 94);
      EXPECT_EQ(d.position("IBM", "a"), 0);
      bar(d, 80, 120);  // both levels again: nothing is left to close
      EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
    }
  }
}

TEST(Brackets, ABarThatCrossesBothIsTakenForTheStopLoss) {
  Desk d = desk();
  bracket(d, 10, 95, 110);
  bar(d, 100, 100);
  bar(d, 94, 111);
  EXPECT_EQ(d.all<OrderRecord>().back().exit, ExitReason::kStopLoss);
}

TEST(Brackets, OneLegAloneOrNoneIsFine) {
  Desk d = desk();
  bracket(d, 10, 95, 0);
  bar(d, 100, 100);
  bar(d, 150, 150);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  bar(d, 95, 95);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
}

TEST(Brackets, OfAPartialFillWhatIsHeldIsClosedAndTheRestOfTheEntryCancelled) {
  Desk d = desk();
  bracket(d, 10, 95, 110);
  bar(d, 100, 94, 4 * kShare);  // 4 bought, and the price falls through the stop-loss within the bar
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
  EXPECT_EQ(d.requests(RequestKind::kSubmit)[1].quantity, shares(4));
  bar(d, 94, 94);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_TRUE(d.broker.faults.empty());
}

TEST(Brackets, ANewIntentTakesItsBracketWithIt) {
  Desk d = desk();
  bracket(d, 10, 95, 110);
  bar(d, 100, 100);
  bracket(d, 20, 0, 0);
  bar(d, 100, 90);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);  // the entry and its enlargement
  bracket(d, -10, 105, 0);                                 // a reversal: closed, then opened, never both
  bar(d, 100, 100);
  d.flush();
  bar(d, 100, 100);
  EXPECT_EQ(d.position("IBM", "a"), -10);
  EXPECT_TRUE(d.broker.faults.empty());
}

TEST(Brackets, ABracketOnWhatIsHeldAlreadyIsAnExitOnly) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  bar(d, 100, 100);
  const IntentId id = bracket(d, 10, 95, 0);
  EXPECT_TRUE(d.verdicts(id).at(0).accepted);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  bar(d, 94, 94);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
}

// One strategy's stop-loss leaves the other's position alone, and its exit is netted with the other's wish.
TEST(Brackets, TheBracketIsOfTheSubBookAndNotOfTheAccount) {
  Desk d = desk();
  bracket(d, 10, 95, 0, "a");
  d.want("b", "IBM", 5);
  d.flush();
  bar(d, 100, 100);
  bar(d, 94, 94);
  bar(d, 94, 94);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "b"), 5);
  EXPECT_EQ(d.broker.positions["IBM"], 5 * kShare);
}

IntentId limit(Desk& d, std::int64_t target, double price) {
  d.now += kSecond;
  Intent i = d.intent_of("b", "IBM", target);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(price);
  d.feed(i);
  d.flush();
  return i.id;
}

// a holds 10 behind a stop-loss at 95, b holds 20; what was sent for that is forgotten.
Desk two_holders() {
  Desk d = desk();
  bracket(d, 10, 95, 0, "a");
  d.want("b", "IBM", 20);
  d.flush();
  bar(d, 100, 100);
  d.sent.clear();
  return d;
}

// Netted with it, the exit would rest at the limit while the price runs away from the stop-loss.
TEST(Brackets, AnExitDoesNotWaitForTheLimitOfAnotherStrategy) {
  for (const bool sells : {true, false}) {
    Desk d = two_holders();
    const std::int64_t target = sells ? 0 : 40;
    const double price = sells ? 130 : 50;
    const IntentId id = limit(d, target, price);
    ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
    bar(d, 94, 94);
    EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
    ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
    const BrokerRequest exit = d.requests(RequestKind::kSubmit)[1];
    EXPECT_EQ(exit.order_type, OrderType::kMarket);
    EXPECT_EQ(exit.side, Side::kSell);
    EXPECT_EQ(exit.quantity, shares(10));
    bar(d, 93, 93);
    d.flush();
    EXPECT_EQ(d.position("IBM", "a"), 0);
    EXPECT_EQ(d.position("IBM", "b"), 20);
    ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 3u);
    const BrokerRequest again = d.requests(RequestKind::kSubmit)[2];
    EXPECT_EQ(again.order_type, OrderType::kLimit);
    EXPECT_EQ(again.limit_price, dollars(price));
    EXPECT_EQ(again.quantity, shares(20));
    bar(d, price, price);
    EXPECT_EQ(d.position("IBM", "b"), target);
    EXPECT_EQ(d.verdicts(id).size(), 1u);
    EXPECT_TRUE(d.broker.faults.empty());
  }
}

TEST(Brackets, AnIntentThatComesWhileAnExitIsOutIsWorkedAfterIt) {
  for (const bool sells : {true, false}) {
    Desk d = two_holders();
    bar(d, 94, 94);
    ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
    const IntentId id = limit(d, sells ? 0 : 40, sells ? 130 : 50);
    EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
    EXPECT_TRUE(d.requests(RequestKind::kCancel).empty());
    EXPECT_TRUE(d.verdicts(id).at(0).accepted);
    bar(d, 93, 93);
    d.flush();
    EXPECT_EQ(d.position("IBM", "a"), 0);
    ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
    EXPECT_EQ(d.requests(RequestKind::kSubmit)[1].quantity, shares(20));
    EXPECT_EQ(d.requests(RequestKind::kSubmit)[1].side, sells ? Side::kSell : Side::kBuy);
  }
}

// At the market both have one price: what cancels out is crossed.
TEST(Brackets, AnExitIsNettedWithWhatTradesAtTheMarketToo) {
  Desk d = two_holders();
  bar(d, 94, 94);
  d.now += kSecond;
  d.want("b", "IBM", 30);
  d.flush();
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  bar(d, 93, 93);
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "b"), 30);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
}

// Nobody trades with the exit while the cross waits for a price, and who waits for it is not forgotten.
TEST(Brackets, WhoWaitsIsRoutedAfterACross) {
  Desk d(config_of({"IBM"}, {"a", "b", "c"}));
  d.connect();
  d.bar("IBM", 100);
  bracket(d, 10, 95, 0, "a");
  bar(d, 100, 100);
  bar(d, 94, 94);
  d.now += kSecond;
  d.want("c", "IBM", 10);
  const IntentId id = limit(d, 20, 50);
  EXPECT_TRUE(d.verdicts(id).at(0).accepted);
  bar(d, 93, 93);
  d.flush();
  EXPECT_EQ(d.position("IBM", "a"), 0);
  EXPECT_EQ(d.position("IBM", "c"), 10);
  ASSERT_FALSE(d.requests(RequestKind::kSubmit).empty());
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().limit_price, dollars(50));
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(20));
}

TEST(Brackets, AnExitThatIsRefusedIsTriedAgainWithTheNextBar) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.limits.max_orders_per_minute = 1;
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  bracket(d, 10, 95, 0);
  bar(d, 100, 100);
  bar(d, 94, 94);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  d.now += 120 * kSecond;
  bar(d, 93, 93);
  bar(d, 93, 93);
  EXPECT_EQ(d.position("IBM", "a"), 0);
}

TEST(Brackets, ARestartKeepsThem) {
  Desk d = desk();
  bracket(d, 10, 95, 0);
  bar(d, 100, 100);
  d.connect();
  bar(d, 94, 94);
  bar(d, 94, 94);
  EXPECT_EQ(d.position("IBM", "a"), 0);
}

TEST(Brackets, TheKillSwitchClosesAndTheBracketIsGone) {
  Desk d = desk();
  bracket(d, 10, 95, 110);
  bar(d, 100, 100);
  d.halt(true);
  bar(d, 94, 94);
  EXPECT_EQ(d.all<KillRecord>().back().phase, KillPhase::kFlat);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
  d.resume("ada");
  d.want("a", "IBM", 10);
  d.flush();
  bar(d, 94, 94);
  bar(d, 94, 94);
  EXPECT_EQ(d.position("IBM", "a"), 10);
}

TEST(Brackets, LevelsOnTheWrongSideAreRefused) {
  Desk d = desk();
  for (const auto& [target, stop, take] :
       {std::tuple{10, 101.0, 110.0}, std::tuple{10, 95.0, 99.0}, std::tuple{-10, 95.0, 90.0}, std::tuple{0, 95.0, 0.0},
        std::tuple{10, -1.0, 0.0}}) {
    EXPECT_EQ(d.verdicts(bracket(d, target, stop, take)).at(0).code, RejectCode::kBracket);
  }
}

}  // namespace
}  // namespace tradewind::testing
