// What the engine watches without an order: fast falls, silent feeds, lost brokers, overrides that end, passed limits.
#include "engine_scenarios.hpp"

namespace tradewind::testing {
namespace {

constexpr Time kMinute = 60 * kSecond;

EngineConfig one(const Change& change) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  change(config);
  return config;
}

// Half the account in IBM, then a close per step; whether the switch tripped.
bool trips(const std::vector<double>& closes, Time step) {
  Desk d(one(limit(&RiskLimits::rapid_decline, 20'000)));
  d.connect();
  d.bar("IBM", 100);
  hold(d, "IBM", 10'000, 100);  // the whole million
  for (const double close : closes) {
    d.now += step;
    d.bar("IBM", close);
    d.feed(TimeUpdate{});
  }
  return d.engine.kill_switch();
}

TEST(RapidDecline, TwoPercentWithinFiveMinutesTripTheSwitchAndSlowerFallsDoNot) {
  EXPECT_TRUE(trips({100, 99.5, 99, 98.5, 98}, kMinute));
  EXPECT_FALSE(trips({100, 99.5, 99, 98.5, 98.01}, kMinute));
  EXPECT_TRUE(trips({100, 98}, 5 * kMinute));
  EXPECT_FALSE(trips({100, 98}, 5 * kMinute + 5 * kSecond));
  EXPECT_FALSE(trips({100, 99.6, 99.2, 98.8, 98.4, 98, 97.6, 97.2}, 2 * kMinute));
  EXPECT_FALSE(trips({100, 90, 80}, 1440 * kMinute));  // bars of a day
  EXPECT_TRUE(trips({100, 101, 102, 99.9}, kMinute));  // from the high within the window
}

TEST(RapidDecline, MoneyThatIsTakenOutIsNoLoss) {
  Desk d(one(limit(&RiskLimits::rapid_decline, 20'000)));
  d.connect();
  d.bar("IBM", 100);
  d.feed(TimeUpdate{});
  d.broker.cash = dollars(500'000);
  d.connect();
  d.feed(TimeUpdate{});
  EXPECT_FALSE(d.engine.kill_switch());
}

TEST(Feed, SilenceWithinASessionTripsTheSwitch) {
  const auto silent_at = [](Time from, Time to, bool flatten = true) {
    Desk d(one([&](EngineConfig& c) {
      c.limits.feed_lost_after = 2 * kMinute;
      c.limits.kill_flattens = flatten;
    }));
    d.connect();
    d.feed(SessionUpdate{kStart - 60 * kMinute, kStart + 60 * kMinute, kStart + 1440 * kMinute});
    d.bar("IBM", 100);
    hold(d, "IBM", 10, 100);
    d.now = from;
    d.bar("IBM", 100);
    d.now = to;
    d.feed(TimeUpdate{});
    const auto sells = d.requests(RequestKind::kSubmit).size() - 1;
    EXPECT_EQ(sells, d.engine.kill_switch() && flatten ? 1u : 0u);
    return d.engine.kill_switch();
  };
  const Time a = kStart + 10 * kMinute, close = kStart + 60 * kMinute;
  EXPECT_FALSE(silent_at(a, a + 2 * kMinute));
  EXPECT_TRUE(silent_at(a, a + 2 * kMinute + 1));
  EXPECT_TRUE(silent_at(a, a + 2 * kMinute + 1, false));
  EXPECT_FALSE(silent_at(close - kMinute, close + 100 * kMinute));  // the session is over
}

TEST(Feed, SilenceCountsFromTheOpenAndFromTheLinkOnly) {
  Desk d(one(limit(&RiskLimits::feed_lost_after, 2 * kMinute)));
  d.connect();
  d.bar("IBM", 100);
  d.now = kStart + 600 * kMinute;
  d.feed(SessionUpdate{d.now, d.now + 390 * kMinute, d.now + 1440 * kMinute});
  d.now += 2 * kMinute;
  d.feed(TimeUpdate{});
  EXPECT_FALSE(d.engine.kill_switch());
  d.event(BrokerEventKind::kLinkDown);
  d.now += 10 * kMinute;
  d.connect();  // as after a restart
  EXPECT_FALSE(d.engine.kill_switch());
  d.now += 2 * kMinute + 1;
  d.feed(TimeUpdate{});
  EXPECT_TRUE(d.engine.kill_switch());
}

// A replay's clock is its bars: a session that is told just before the first bar finds no silence.
TEST(Feed, WhatIsToldBeforeTheBarsOfATimeIsNoSilence) {
  Desk d(one(limit(&RiskLimits::feed_lost_after, 2 * kMinute)));
  d.now = 0;
  d.connect();
  d.now = kStart;
  d.feed(SessionUpdate{kStart - 60 * kMinute, kStart + 60 * kMinute, kStart + 1440 * kMinute});
  d.bar("IBM", 100);
  d.feed(TimeUpdate{});
  EXPECT_FALSE(d.engine.kill_switch());
}

TEST(Broker, AStreamThatStaysDownTripsTheSwitch) {
  Desk d(one(limit(&RiskLimits::broker_lost_after, 5 * kMinute)));
  d.connect();
  d.bar("IBM", 100);
  d.event(BrokerEventKind::kLinkDown);
  d.now += 4 * kMinute;
  d.event(BrokerEventKind::kLinkDown);  // another failed attempt: still the same outage
  d.now += kMinute;
  d.feed(TimeUpdate{});
  EXPECT_FALSE(d.engine.kill_switch());
  d.now += 1;
  d.feed(TimeUpdate{});
  EXPECT_TRUE(d.engine.kill_switch());
}

TEST(Broker, AnOutageWhileTheMarketIsClosedIsNoTrigger) {
  Desk d(one(limit(&RiskLimits::broker_lost_after, 5 * kMinute)));
  d.connect();
  d.feed(SessionUpdate{kStart - 60 * kMinute, kStart - kMinute, kStart + 600 * kMinute});
  d.event(BrokerEventKind::kLinkDown);
  d.now += 100 * kMinute;
  d.feed(TimeUpdate{});
  EXPECT_FALSE(d.engine.kill_switch());
}

LimitOverride until(const std::string& limit, std::int64_t value, Time end) {
  return {FixedString<32>(limit), value, end, FixedString<48>("ada"), FixedString<96>("index change")};
}

RejectCode code_of(Desk& d, std::int64_t target) {
  d.now += 1;
  d.bar("IBM", 100);
  const IntentId id = d.want("a", "IBM", target);
  d.flush();
  const auto v = d.verdicts(id).at(0);
  return v.accepted ? RejectCode::kOk : v.code;
}

TEST(Override, HoldsUntilItsTimeAndEndsByItself) {
  Desk d(one([](EngineConfig& c) {
    c.limits.max_position = 50'000;
    c.overrides = {until("max_position_pct", 100'000, kStart + kMinute)};
  }));
  d.connect();
  EXPECT_EQ(code_of(d, 1001), RejectCode::kMaxPosition);
  EXPECT_EQ(code_of(d, 1000), RejectCode::kOk);
  d.now = kStart + kMinute - 2;
  EXPECT_EQ(code_of(d, 999), RejectCode::kOk);
  EXPECT_EQ(code_of(d, 1001), RejectCode::kMaxPosition);  // one nanosecond later it has ended
  d.now = kStart + 2 * kMinute;
  EXPECT_EQ(code_of(d, 501), RejectCode::kOk);  // 999 are held: that is an exit
  EXPECT_EQ(code_of(d, 1000), RejectCode::kMaxPosition);
  std::vector<std::string> told;
  for (const Alert& a : d.all<Alert>()) told.push_back(a.text.str());
  EXPECT_EQ(told, (std::vector<std::string>{"override of max_position_pct by ada holds: index change",
                                            "override of max_position_pct by ada has ended: index change",
                                            "a position has grown beyond its limit"}));
}

TEST(Override, TheConfigurationKeepsWhatWasGivenAndReadsBack) {
  EngineConfig config = one([](EngineConfig& c) {
    c.limits.max_position = 50'000;
    c.generation = 7;
    c.overrides = {until("max_position_pct", 100'000, kStart + kMinute), until("max_order_notional", kNoLimit, kStart)};
  });
  const std::string text = canonical_json(config);
  EXPECT_EQ(canonical_json(parse_engine_config(text)), text);
  Desk d(config);
  d.connect();
  EXPECT_EQ(canonical_json(d.engine.config()), text);
  d.bar("IBM", 100);
  const IntentId id = d.want("a", "IBM", 1);
  d.flush();
  EXPECT_EQ(d.verdicts(id).at(0).generation, 7);
}

TEST(Override, FaultsAreNamed) {
  const auto error_of = [](const LimitOverride& o) -> std::string {
    EngineConfig config = config_of({"IBM"}, {"a"});
    config.overrides = {o};
    try {
      validate(config);
      (void)parse_engine_config(canonical_json(config));
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error_of(until("max_position_pct", 1, 1)), "");
  LimitOverride nobody = until("max_position_pct", 1, 1);
  nobody.issued_by = {};
  EXPECT_EQ(error_of(nobody), "overrides.max_position_pct.by: name the person who asked");
  EXPECT_NE(error_of(until("assumed_volatility", 1, 1)).find("cannot be overridden"), std::string::npos);
  std::string text = canonical_json(config_of({"IBM"}, {"a"}));
  const std::string bad = R"("overrides":[{"limit":"max_pos","value":1,"until":5,"by":"ada"}])";
  text.replace(text.find("\"overrides\":[]"), 14, bad);
  try {
    (void)parse_engine_config(text);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_STREQ(e.what(), "overrides[0].limit: max_pos is not a limit");
  }
}

TEST(Ladder, TheReentryStepIsTheConfiguredShareOfTheCut) {
  Desk d(one([](EngineConfig& c) {
    c.limits.drawdown_reduce = 50'000;
    c.limits.drawdown_halve = 100'000;
    c.limits.drawdown_stop = 900'000;
    c.limits.reentry_step = 400'000;
  }));
  d.connect();
  d.bar("IBM", 100);
  hold(d, "IBM", 10'000, 100);
  const auto day = [&d](double price) {
    d.now += 1440 * kMinute;
    d.bar("IBM", price);
    d.feed(TimeUpdate{});
    return d.engine.risk().size_factor;
  };
  EXPECT_EQ(day(90), 500'000);
  EXPECT_EQ(day(101), 500'000);
  EXPECT_EQ(day(102), 700'000);  // 40 % of the half, for the day before
  EXPECT_EQ(day(103), 900'000);
  EXPECT_EQ(day(104), 1'000'000);
}

TEST(Recheck, ALimitThatPricesPassIsToldOnce) {
  Desk d(one([](EngineConfig& c) {
    c.limits.max_position = 110'000;
    c.limits.max_gross = 110'000;
    c.limits.max_net = 110'000;
    c.limits.max_volatility = 20'000;
    c.limits.max_value_at_risk = 2'000;
  }));
  d.connect();
  d.bar("IBM", 100);
  estimates(d, {{"IBM", {0.01, -0.01}}});
  hold(d, "IBM", 1000, 100);
  const auto told = [&d](double price) {
    d.now += kSecond;
    d.bar("IBM", price);
    const std::size_t before = d.all<Alert>().size();
    d.feed(TimeUpdate{});
    d.feed(TimeUpdate{});
    return d.all<Alert>().size() - before;
  };
  EXPECT_EQ(told(109), 0u);
  EXPECT_EQ(told(140), 5u);
  EXPECT_EQ(told(141), 0u);
  EXPECT_EQ(told(100), 0u);
  EXPECT_EQ(told(140), 5u);
}

}  // namespace
}  // namespace tradewind::testing
