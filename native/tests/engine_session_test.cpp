// When orders may be sent: the exchange's sessions, their first and last minutes, and what may wait for the next open.
#include "engine_scenarios.hpp"

namespace tradewind::testing {
namespace {

constexpr Time kMinute = 60 * kSecond;
constexpr Time kOpen = kStart, kClose = kStart + 390 * kMinute, kNextOpen = kStart + 1440 * kMinute;

EngineConfig with_calendar(bool rests) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  config.limits.skip_first = config.limits.skip_last = 5 * kMinute;
  config.strategies[0].rests_overnight = rests;
  return config;
}

// The verdict on a first order at `at`.
IntentVerdict verdict_at(Time at, bool rests) {
  Desk d(with_calendar(rests));
  d.now = kOpen;
  d.connect();
  d.feed(SessionUpdate{kOpen, kClose, kNextOpen});
  d.now = at;
  d.bar("IBM", 100);
  const IntentId id = d.want("a", "IBM", 1);
  d.flush();
  return d.verdicts(id).at(0);
}

TEST(Session, TheFirstAndLastMinutesAreLeftOut) {
  struct Case {
    Time at;
    bool intraday, daily;
  };
  const std::vector<Case> cases = {
      {kOpen, false, false},
      {kOpen + 5 * kMinute - 1, false, false},
      {kOpen + 5 * kMinute, true, true},
      {kClose - 5 * kMinute - 1, true, true},
      {kClose - 5 * kMinute, false, false},
      {kClose - 1, false, false},
      {kClose, false, true},  // a daily bar ends here: its orders wait for the next open
      {kNextOpen - 1, false, true},
  };
  for (const auto& [at, intraday, daily] : cases) {
    EXPECT_EQ(verdict_at(at, false).accepted, intraday) << (at - kOpen) / kMinute;
    EXPECT_EQ(verdict_at(at, true).accepted, daily) << (at - kOpen) / kMinute;
  }
  EXPECT_EQ(verdict_at(kNextOpen, true).code, RejectCode::kSessionUnknown);
}

TEST(Session, ARefusalNamesTheTimeThatWouldHavePassed) {
  EXPECT_EQ(verdict_at(kOpen, false).message.view(),
            "value 2023-11-14T22:13:20Z, limit 2023-11-14T22:18:20Z; 2023-11-14T22:18:20Z would have passed");
  EXPECT_EQ(verdict_at(kClose, false).message.view(),
            "value 2023-11-15T04:43:20Z, limit 2023-11-15T04:38:20Z; 2023-11-15T22:18:20Z would have passed");
  EXPECT_EQ(verdict_at(kClose - 1, true).message.view(),
            "value 2023-11-15T04:43:19Z, limit 2023-11-15T04:38:20Z; 2023-11-15T04:43:20Z would have passed");
}

TEST(Session, ExitsKeepToTheSessionAndTheKillSwitchDoesNot) {
  Desk d(with_calendar(false));
  d.now = kOpen + 10 * kMinute;
  d.connect();
  d.feed(SessionUpdate{kOpen, kClose, kNextOpen});
  d.bar("IBM", 100);
  hold(d, "IBM", 10, 100);
  d.now = kClose;
  d.bar("IBM", 100);
  const IntentId exit = d.want("a", "IBM", 0);
  d.flush();
  EXPECT_EQ(d.verdicts(exit).at(0).code, RejectCode::kOutOfSession);
  d.halt(true);
  const auto phase = [&d] { return d.all<KillRecord>().back().phase; };
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(10));
  EXPECT_EQ(phase(), KillPhase::kFlattenPending);  // it waits at the broker for the open
  d.now = kNextOpen;
  d.feed(SessionUpdate{kNextOpen, kNextOpen + 390 * kMinute, kNextOpen + 1440 * kMinute});
  EXPECT_EQ(phase(), KillPhase::kFlattening);
  d.now += kMinute;
  d.bar("IBM", 99);
  EXPECT_EQ(phase(), KillPhase::kFlat);
  EXPECT_EQ(d.position("IBM"), 0);
}

TEST(Session, AnOrderOfSeveralStrategiesWaitsOnlyIfAllOfThemMay) {
  EngineConfig config = with_calendar(true);
  StrategyConfig other;
  other.uid = StrategyId("b");
  other.capital_share = kNoLimit;
  config.strategies.push_back(other);
  Desk d(config);
  d.now = kOpen;
  d.connect();
  d.feed(SessionUpdate{kOpen, kClose, kNextOpen});
  d.now = kClose;
  d.bar("IBM", 100);
  const IntentId daily = d.want("a", "IBM", 5), intraday = d.want("b", "IBM", 5);
  d.flush();
  EXPECT_TRUE(d.verdicts(daily).at(0).accepted);
  EXPECT_EQ(d.verdicts(intraday).at(0).code, RejectCode::kOutOfSession);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(5));
}

TEST(Session, AnOlderOrContradictorySessionIsNotTaken) {
  Desk d(with_calendar(false));
  d.now = kOpen + 10 * kMinute;
  d.connect();
  d.bar("IBM", 100);
  d.feed(SessionUpdate{kOpen, kClose, kNextOpen});
  d.feed(SessionUpdate{kOpen - 1440 * kMinute, kClose - 1440 * kMinute, kOpen});
  d.feed(SessionUpdate{kNextOpen, kNextOpen - 1, kNextOpen + kMinute});
  const IntentId id = d.want("a", "IBM", 1);
  d.flush();
  EXPECT_TRUE(d.verdicts(id).at(0).accepted);
  EXPECT_EQ(d.all<Alert>().back().text.view(), "a session whose times contradict each other was ignored");
}

// The verdict on a limit order for extended hours at `at`; `before` and `after` as the policy has them.
IntentVerdict extended_at(Time at, std::int64_t before, std::int64_t after, bool asks = true) {
  EngineConfig config = with_calendar(false);
  config.limits.extended_before = before;
  config.limits.extended_after = after;
  Desk d(config);
  d.now = kOpen;
  d.connect();
  d.feed(SessionUpdate{kOpen, kClose, kNextOpen});
  d.now = at;
  d.bar("IBM", 100);
  Intent i = d.intent_of("a", "IBM", 1);
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(100);
  i.terms.extended_hours = asks;
  d.feed(i);
  d.flush();
  return d.verdicts(i.id).at(0);
}

TEST(Session, ExtendedHoursAreForOrdersThatAskForThemWhereThePolicyAllowsIt) {
  constexpr Time before = 330 * kMinute, after = 240 * kMinute;
  struct Case {
    Time at;
    bool passes;
  };
  const std::vector<Case> cases = {
      {kOpen, false},  // the session's own first and last minutes are left out as ever
      {kOpen + 5 * kMinute, true},
      {kClose - 1, false},
      {kClose, true},
      {kClose + after - 1, true},
      {kClose + after, false},
      {kNextOpen - before - 1, false},
      {kNextOpen - before, true},
      {kNextOpen - 1, true},
  };
  for (const auto& [at, passes] : cases) {
    const IntentVerdict v = extended_at(at, before, after);
    EXPECT_EQ(v.accepted, passes) << (at - kOpen) / kMinute;
    EXPECT_EQ(v.code, passes ? RejectCode::kOk : RejectCode::kOutOfSession);
    EXPECT_EQ(extended_at(at, 0, 0).code,
              RejectCode::kExtendedHours);  // in the session, too: it would work on after it
    EXPECT_EQ(extended_at(at, before, after, false).accepted, at == kOpen + 5 * kMinute);
  }
  // Half a day ends early, and so does its evening: both are measured from the session's own times.
  EXPECT_TRUE(extended_at(kClose + kMinute, kNoLimit, kNoLimit).accepted);
}

TEST(Session, WithoutTheLimitNoCalendarIsNeeded) {
  Desk d(config_of({"IBM"}, {"a"}));
  d.connect();
  d.bar("IBM", 100);
  const IntentId id = d.want("a", "IBM", 1);
  d.flush();
  EXPECT_TRUE(d.verdicts(id).at(0).accepted);
}

}  // namespace
}  // namespace tradewind::testing
