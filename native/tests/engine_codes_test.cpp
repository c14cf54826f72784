// Every reject code is reached by a scenario of its own; a code without one fails here.
#include "engine_scenarios.hpp"
#include "tradewind/engine/risk_gate.hpp"

namespace tradewind::testing {
namespace {

struct Scenario {
  RejectCode code;
  Change change;
  Script script;
};

Change symbol(std::function<void(SymbolConfig&)> f) {
  return [f](EngineConfig& c) { f(c.symbols[1]); };  // IBM
}

// Account: a million, leverage 4. AAA at 50, IBM at 100.
Script want(std::int64_t target) {
  return [=](Desk& d) {
    d.want("a", "IBM", target);
    d.flush();
  };
}
Script intent(std::function<void(Intent&)> change) {
  return [=](Desk& d) {
    Intent i = d.intent_of("a", "IBM", 10);
    change(i);
    d.feed(i);
    d.flush();
  };
}
// Holds 5,000 IBM (half the account), then the price moves and a new entry is tried.
Script after_move(double price, std::int64_t seconds = 1) {
  return [=](Desk& d) {
    hold(d, "IBM", 5000, 100);
    d.now += seconds * kSecond;
    d.bar("IBM", price);
    d.want("a", "AAA", 1);
    d.flush();
  };
}
void session_limits(EngineConfig& c) { c.limits.skip_first = c.limits.skip_last = 300 * kSecond; }
void limit_at(Intent& i, double price) {
  i.order_type = OrderType::kLimit;
  i.limit_price = dollars(price);
}
std::vector<Scenario> scenarios() {
  using C = RejectCode;
  using L = RiskLimits;
  const auto control = [](ControlKind kind) {
    return [kind](Desk& d) {
      Control c;
      c.kind = kind;
      d.feed(c);
      d.want("a", "IBM", 1);
      d.flush();
    };
  };
  return {
      {C::kOrderTerms, nothing, intent([](Intent& i) { i.terms.extended_hours = true; })},
      {C::kStopPrice, nothing, intent([](Intent& i) { i.order_type = OrderType::kStop; })},
      {C::kTrail, nothing, intent([](Intent& i) { i.order_type = OrderType::kTrailingStop; })},
      {C::kFraction, nothing,
       [](Desk& d) {
         EngineConfig c = d.engine.config();
         c.symbols[1].quantity_increment.raw = 1;
         d.engine.reconfigure(c);
         intent([](Intent& i) {
           i.target.raw = kShare / 2;
           i.time_in_force = TimeInForce::kGtc;
         })(d);
       }},
      {C::kBracket, nothing, intent([](Intent& i) { i.stop_loss = dollars(-1); })},
      {C::kPlanTerms, nothing, intent([](Intent& i) {
         i.plan = {.algorithm = Algorithm::kTwap, .duration = 2 * kSecond, .interval = kSecond};
         i.take_profit = dollars(110);
       })},
      {C::kStrategyLeaving, [](EngineConfig& c) { c.strategies[0].leaving = Leaving::kKeep; }, want(1)},
      {C::kKillSwitch, nothing,
       [](Desk& d) {
         d.halt(false);
         want(1)(d);
       }},
      {C::kPaused, nothing, control(ControlKind::kPause)},
      {C::kShutdown, nothing, control(ControlKind::kShutdown)},
      {C::kLeaseLost, nothing, control(ControlKind::kLeaseLost)},
      {C::kLinkDown, nothing,
       [](Desk& d) {
         d.event(BrokerEventKind::kLinkDown);
         want(1)(d);
       }},
      {C::kNotReconciled, nothing,
       [](Desk& d) {
         d.answering = false;
         d.connect();
         want(1)(d);
       }},
      {C::kPositionMismatch, nothing,
       [](Desk& d) {
         d.broker.positions["IBM"] = kShare;
         d.connect();
         want(1)(d);
       }},
      {C::kAccountAbsent, nothing,
       [](Desk& d) {
         d.broker.cash = dollars(0);
         d.connect();
         want(1)(d);
       }},
      {C::kLimitAbsent, limit(&L::max_sector, kAbsent), want(1)},
      {C::kUnknownStrategy, nothing, intent([](Intent& i) { i.strategy = StrategyId("nobody"); })},
      {C::kUnknownSymbol, nothing, intent([](Intent& i) { i.symbol = Symbol("NOPE"); })},
      {C::kNotTradable, symbol([](SymbolConfig& s) { s.tradable = false; }), want(1)},
      {C::kRestricted, symbol([](SymbolConfig& s) { s.restricted = true; }), want(1)},
      {C::kPriceAbsent, nothing, intent([](Intent& i) { i.symbol = Symbol("ZZZ"); })},
      {C::kPriceStale, limit(&L::max_price_age, kSecond),
       [](Desk& d) {
         d.now += 2 * kSecond;
         want(1)(d);
       }},
      {C::kLateIntent, nothing, intent([](Intent& i) { i.valid_until = i.decision_time - 1; })},
      {C::kIntentConflict, nothing,
       [](Desk& d) {
         Intent i = d.intent_of("a", "IBM", 1);
         d.feed(i);
         i.target = shares(2);
         d.feed(i);
       }},
      {C::kIntentInvalid, nothing, intent([](Intent& i) { i.order_type = OrderType::kNone; })},
      {C::kIntentSuperseded, nothing,
       [](Desk& d) {
         d.want("a", "IBM", 1);
         want(2)(d);
       }},
      {C::kIntentOutOfOrder, nothing,
       [](Desk& d) {
         Intent old = d.intent_of("a", "IBM", 1);
         d.now += kSecond;
         want(2)(d);
         d.feed(old);
       }},
      {C::kCapacity, [](EngineConfig& c) { c.max_intents = 32; },
       [](Desk& d) {
         for (int i = 0; i < 33; ++i) want(1)(d);
       }},
      {C::kModelNotChampion, [](EngineConfig& c) { c.mode = Mode::kLive; },
       intent([](Intent& i) { i.champion = true; })},
      {C::kQuantityIncrement, nothing, intent([](Intent& i) { i.target.raw = kShare / 2; })},
      {C::kLimitPriceAbsent, nothing, intent([](Intent& i) { limit_at(i, 0); })},
      {C::kLimitPriceIncrement, nothing, intent([](Intent& i) { limit_at(i, 99.005); })},
      {C::kPriceCollar, limit(&L::price_collar, 50'000), intent([](Intent& i) { limit_at(i, 105.01); })},
      {C::kMaxOrderNotional, limit(&L::max_order_notional, dollars(1000).raw), want(11)},
      {C::kOrderRate, limit(&L::max_orders_per_minute, 2),
       [](Desk& d) {
         d.want("a", "IBM", 1);
         d.want("a", "AAA", 1);
         d.flush();
         d.now += kSecond;
         d.bar("IBM", 100);
         want(2)(d);
       }},
      {C::kTradesPerDay, limit(&L::max_trades_per_day, 1),
       [](Desk& d) {
         hold(d, "IBM", 1, 100);
         want(2)(d);
       }},
      {C::kShortNotAllowed, [](EngineConfig& c) { c.limits.allow_short = false; }, want(-1)},
      {C::kBuyingPower, nothing, want(40'001)},
      {C::kMaxPosition, limit(&L::max_position, 50'000), want(501)},
      {C::kMaxPositions, limit(&L::max_positions, 1),
       [](Desk& d) {
         hold(d, "AAA", 1, 50);
         want(1)(d);
       }},
      {C::kMaxGross, limit(&L::max_gross, 500'000),
       [](Desk& d) {
         hold(d, "AAA", -8000, 50);
         want(1001)(d);
       }},
      {C::kMaxNet, limit(&L::max_net, 100'000), want(-1001)},
      {C::kMaxShort,
       [](EngineConfig& c) {
         c.limits.max_gross = 1'000'000;
         c.limits.max_short_of_gross = 500'000;
       },
       want(-5001)},
      {C::kMaxSector, limit(&L::max_sector, 250'000),
       [](Desk& d) {
         hold(d, "AAA", 4000, 50);
         want(501)(d);
       }},
      {C::kCapitalBudget, [](EngineConfig& c) { c.strategies[0].capital_budget = dollars(500); }, want(6)},
      {C::kDailyLoss, limit(&L::daily_loss, 20'000), after_move(96)},
      {C::kWeeklyLoss, limit(&L::weekly_loss, 20'000), after_move(96, 86'400)},
      {C::kMonthlyLoss, limit(&L::monthly_loss, 20'000), after_move(96, 7 * 86'400)},
      {C::kDrawdown, nothing, nullptr},  // the switch trips first: see TheDrawdownCheckStandsBehindTheSwitch
      {C::kConsecutiveLosses, limit(&L::max_consecutive_losses, 2),
       [](Desk& d) {
         for (int i = 0; i < 2; ++i) {
           hold(d, "IBM", 1, 100);
           hold(d, "IBM", 0, 99);
         }
         want(1)(d);
       }},
      {C::kVolatilityAbsent, [](EngineConfig& c) { c.limits.volatility_required = true; }, want(1)},
      {C::kVolatilityHalt, limit(&L::volatility_halt, 35 * kMoneyScale),
       [](Desk& d) {
         context(d, 35);
         want(1)(d);
       }},
      {C::kOverflow, nothing, intent([](Intent& i) { i.target.raw = 300'000'000 * kShare; })},
      {C::kBrokerRejected, nothing,
       [](Desk& d) {
         d.answering = false;
         want(1)(d);
         BrokerEvent no = d.broker.answer(BrokerEventKind::kSubmitRejected, d.requests(RequestKind::kSubmit).at(0));
         d.feed(no);
       }},
      {C::kNeverArrived, nothing,
       [](Desk& d) {
         d.answering = false;
         want(1)(d);
         d.feed(d.broker.answer(BrokerEventKind::kSubmitUnknown, d.requests(RequestKind::kSubmit).at(0)));
         d.halt(false);
         d.feed(d.broker.lookup(d.requests(RequestKind::kLookup).at(0)));
       }},
      {C::kOrderTimeout, [](EngineConfig& c) { c.order_ttl = kSecond; },
       [](Desk& d) {
         want(1)(d);
         d.now += kSecond;
         d.feed(TimeUpdate{});
       }},
      {C::kMaxPositionNotional, limit(&L::max_position_notional, dollars(1000).raw), want(11)},
      {C::kEstimateAbsent,
       [](EngineConfig& c) {
         c.limits.trade_risk = kRatioScale;
         c.limits.assumed_volatility = kNoLimit;
       },
       want(1)},
      {C::kEstimateStale,
       [](EngineConfig& c) {
         c.limits.max_volatility = kRatioScale;
         c.limits.max_estimate_age = kSecond;
       },
       [](Desk& d) {
         estimates(d, {{"AAA", {0.01, -0.01}}, {"IBM", {0.01, -0.01}}});
         d.now += 2 * kSecond;
         want(1)(d);
       }},
      // 2 deviations of 1 % of 100,000 are 2,000 of a million.
      {C::kTradeRisk, limit(&L::trade_risk, 2'000),
       [](Desk& d) {
         estimates(d, {{"IBM", {0.01, -0.01}}});
         want(1001)(d);
       }},
      // 50,000 held lost 1,000; 100,000 more at 2 % are 2,940.
      {C::kTradeRiskHard, limit(&L::trade_risk_hard, 3'900),
       [](Desk& d) {
         estimates(d, {{"IBM", {0.01, -0.01}}});
         hold(d, "IBM", 500, 100);
         d.now += kSecond;
         d.bar("IBM", 98);
         want(1500)(d);
       }},
      {C::kMaxGroup, limit(&L::max_group, 100'000),
       [](Desk& d) {
         estimates(d, {{"AAA", {0.01, -0.01}}, {"IBM", {0.01, -0.01}}}, "AAA");
         hold(d, "AAA", 1000, 50);
         want(501)(d);
       }},
      {C::kValueAtRisk, limit(&L::max_value_at_risk, 10'000),
       [](Desk& d) {
         estimates(d, {{"AAA", {0.01, -0.01}}, {"IBM", {0.01, -0.01}}});
         hold(d, "AAA", 10'000, 50);
         want(1081)(d);  // 608,100 at 1 % and 1.644854 deviations
       }},
      {C::kPortfolioVolatility, limit(&L::max_volatility, 100'000),
       [](Desk& d) {
         estimates(d, {{"AAA", {0.01, -0.01}}, {"IBM", {0.01, -0.01}}});
         hold(d, "AAA", 10'000, 50);
         want(1300)(d);  // 630,000 at 1 % and the root of 252
       }},
      {C::kExtendedHours, [](EngineConfig& c) { c.limits.extended_before = c.limits.extended_after = 0; },
       intent([](Intent& i) {
         limit_at(i, 100);
         i.terms.extended_hours = true;
       })},
      {C::kBrokerFailing,
       [](EngineConfig& c) {
         c.limits.breaker_failures = 1;
         c.limits.breaker_pause = kSecond;
       },
       [](Desk& d) {
         BrokerEvent lost;
         lost.kind = BrokerEventKind::kSnapshotFailed;
         d.feed(lost);
         want(1)(d);
       }},
      {C::kFeedSilent, limit(&L::feed_silent_after, kSecond),
       [](Desk& d) {
         d.feed(SessionUpdate{d.now - kSecond, d.now + 3600 * kSecond, d.now + 86'400 * kSecond});
         d.now += 2 * kSecond;
         d.feed(TimeUpdate{});
         want(1)(d);
       }},
      {C::kSessionUnknown, session_limits, want(1)},
      {C::kOutOfSession, session_limits,
       [](Desk& d) {
         d.feed(SessionUpdate{d.now - 3600 * kSecond, d.now + 60 * kSecond, d.now + 86'400 * kSecond});
         want(1)(d);
       }},
      {C::kTurnover, limit(&L::max_turnover, 100'000),
       [](Desk& d) {
         hold(d, "AAA", 1000, 50);
         want(501)(d);
       }},
  };
}

std::set<RejectCode> codes_of(const Scenario& scenario, bool change) {
  EngineConfig config = config_of({"AAA", "IBM", "ZZZ"}, {"a"});
  for (auto& s : config.symbols) s.sector = Sector("Tech");
  if (change) scenario.change(config);
  Desk d(config);
  d.broker.prices["IBM"] = dollars(100);
  if (scenario.code != RejectCode::kAccountAbsent && scenario.code != RejectCode::kPositionMismatch) d.connect();
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  scenario.script(d);
  std::set<RejectCode> found;
  for (const auto& v : d.all<IntentVerdict>()) {
    if (!v.accepted) {
      found.insert(v.code);
      EXPECT_FALSE(v.message.empty());
    }
  }
  for (const auto& o : d.all<OrderRecord>()) {
    if (o.code != RejectCode::kOk) found.insert(o.code);
  }
  return found;
}

TEST(RejectCodes, EachIsReachedAndAlone) {
  std::set<RejectCode> covered;
  for (const Scenario& s : scenarios()) {
    covered.insert(s.code);
    if (s.script == nullptr) continue;
    const auto found = codes_of(s, true);
    EXPECT_TRUE(found.contains(s.code)) << to_string(s.code) << " was not reached";
    EXPECT_EQ(found.size(), 1u) << to_string(s.code) << " came with others";
  }
  for (const auto& info : kRejectCodes) {
    EXPECT_TRUE(info.code == RejectCode::kOk || covered.contains(info.code)) << info.name << " has no scenario";
  }
  EXPECT_EQ(covered.size(), kRejectCodeCount - 1);
}

// The same script without the changed limit is accepted: it is the limit that refuses.
TEST(RejectCodes, WithoutTheLimitTheSameRequestPasses) {
  int checked = 0;
  for (const Scenario& s : scenarios()) {
    const bool unchanged = s.change.target<void (*)(EngineConfig&)>() != nullptr;  // `nothing`
    if (s.script == nullptr || unchanged) continue;
    EXPECT_TRUE(codes_of(s, false).empty()) << to_string(s.code);
    ++checked;
  }
  EXPECT_GE(checked, 20);
}

TEST(RejectCodes, TheDrawdownCheckStandsBehindTheSwitch) {
  RiskLimits limits = wide_limits();
  limits.drawdown_stop = 150'000;
  SymbolConfig ibm;
  RiskSnapshot s;
  s.limits = &limits;
  s.symbol = &ibm;
  s.link_up = s.reconciled = s.account_known = true;
  s.price = dollars(100);
  s.leverage = kRatioScale;
  s.peak = dollars(100'000);
  RiskRequest r;
  r.quantity = shares(1);
  s.equity = dollars(85'000.01);
  EXPECT_FALSE(check_risk(Stage::kOrder, r, s).denied());
  s.equity = dollars(85'000);
  EXPECT_EQ(check_risk(Stage::kOrder, r, s).code, RejectCode::kDrawdown);
  r.reduce_only = true;
  EXPECT_FALSE(check_risk(Stage::kOrder, r, s).denied());
}

}  // namespace
}  // namespace tradewind::testing
