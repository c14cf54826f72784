// What the engine says of each strategy's decisions: a model that is tried with real capital is judged by it.
#include "engine_scenarios.hpp"

namespace tradewind::testing {
namespace {

Desk desk() {
  Desk d(config_of({"IBM"}, {"a", "b"}));
  d.connect();
  d.bar("IBM", 100);
  return d;
}

StrategyRecord record(const Desk& d, const std::string& strategy) {
  std::vector<StrategyRecord> all;
  d.engine.strategy_records(all);
  for (const StrategyRecord& r : all) {
    if (r.strategy.view() == strategy) return r;
  }
  ADD_FAILURE() << strategy << " has no record";
  return {};
}

std::uint64_t refused(const Desk& d, const std::string& strategy, RejectCode code) {
  return record(d, strategy).rejections.at(static_cast<std::size_t>(code));
}

void refuse(Desk& d, int status) {
  BrokerEvent no = d.broker.answer(BrokerEventKind::kSubmitRejected, d.requests(RequestKind::kSubmit).back());
  no.http_status = status;
  d.feed(no);
}

TEST(StrategyRecords, AnOrderOfTwoIsATradeOfEachAndOfNobodyElse) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.want("b", "IBM", 5);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(record(d, "a").trades, 1U);
  EXPECT_EQ(record(d, "b").trades, 1U);
  hold(d, "IBM", 20, 100);
  EXPECT_EQ(record(d, "a").trades, 2U);
  EXPECT_EQ(record(d, "b").trades, 1U);
  EXPECT_EQ(record(d, "a").intents, 2U);
}

TEST(StrategyRecords, AnOrderThatFillsInPartsIsOneTrade) {
  Desk d = desk();
  d.want("a", "IBM", 10);
  d.flush();
  for (int i = 0; i < 3; ++i) {
    d.now += kSecond;
    d.bar("IBM", 100, 100, 2 * kShare);
  }
  ASSERT_EQ(d.position("IBM"), 6);
  EXPECT_EQ(record(d, "a").trades, 1U);
}

TEST(StrategyRecords, ARefusedIntentCountsByItsCodeForWhoseItIs) {
  Desk d = desk();
  Intent late = d.intent_of("a", "IBM", 1);
  late.valid_until = d.now - 1;
  d.feed(late);
  d.flush();
  EXPECT_EQ(refused(d, "a", RejectCode::kLateIntent), 1U);
  EXPECT_EQ(refused(d, "b", RejectCode::kLateIntent), 0U);
  EXPECT_EQ(record(d, "a").intents, 1U);
  EXPECT_EQ(record(d, "a").trades, 0U);
  d.feed(d.intent_of("nobody", "IBM", 1));  // in nobody's record, and no harm
  EXPECT_EQ(record(d, "a").intents + record(d, "b").intents, 1U);
}

TEST(StrategyRecords, WhatTheBrokerWillNotTakeCountsAndWhatItTakesLaterDoesNot) {
  for (const int status : {422, 429}) {
    Desk d = desk();
    d.answering = false;
    d.want("a", "IBM", 1);
    d.flush();
    refuse(d, status);
    EXPECT_EQ(refused(d, "a", RejectCode::kBrokerRejected), status == 422 ? 1U : 0U) << status;
    EXPECT_EQ(refused(d, "b", RejectCode::kBrokerRejected), 0U);
  }
}

TEST(StrategyRecords, TheyAreCarriedOverByNameAndBeginAnewForWhoComesAgain) {
  Desk d = desk();
  hold(d, "IBM", 10, 100);
  EngineConfig other = config_of({"IBM"}, {"0", "a"});  // another place among the strategies
  other.generation = 2;
  d.engine.reconfigure(other);
  EXPECT_EQ(record(d, "a").trades, 1U);
  EXPECT_EQ(record(d, "0").trades, 0U);
  hold(d, "IBM", 0, 100);
  EXPECT_EQ(record(d, "a").trades, 2U);
  d.engine.reconfigure(config_of({"IBM"}, {"b"}));
  d.engine.reconfigure(config_of({"IBM"}, {"a", "b"}));
  EXPECT_EQ(record(d, "a").trades, 0U);
}

}  // namespace
}  // namespace tradewind::testing
