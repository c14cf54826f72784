// Where the risk gate's limits lie: the limit itself passes, pending orders count, exits skip what they should and no
// more.
#include "engine_scenarios.hpp"

namespace tradewind::testing {
namespace {

// Exactly what the message says would have passed does pass, and one more share does not.
TEST(RiskGate, TheLimitItselfPasses) {
  const auto accepted = [](const Change& change, std::int64_t target) {
    EngineConfig config = config_of({"IBM"}, {"a"});
    change(config);
    Desk d(config);
    d.connect();
    d.bar("IBM", 100);
    const IntentId id = d.want("a", "IBM", target);
    d.flush();
    return d.verdicts(id).at(0).accepted;
  };
  using L = RiskLimits;
  const std::vector<std::pair<Change, std::int64_t>> edges = {
      {limit(&L::max_position, 50'000), 500},
      {limit(&L::max_gross, 50'000), 500},
      {limit(&L::max_net, 50'000), 500},
      {limit(&L::max_net, 50'000), -500},
      {limit(&L::max_order_notional, dollars(50'000).raw), 500},
      {limit(&L::max_position_notional, dollars(50'000).raw), 500},
      {limit(&L::max_position_notional, dollars(50'000).raw), -500},
      {limit(&L::max_turnover, 50'000), 500},
      {limit(&L::max_turnover, 50'000), -500},
      {nothing, 40'000},
      {[](EngineConfig& c) {
         c.limits.max_gross = 100'000;
         c.limits.max_short_of_gross = 500'000;
       },
       -500},
      {[](EngineConfig& c) { c.strategies[0].capital_share = 50'000; }, -500},
      {[](EngineConfig& c) { c.limits.market_order_buffer = 250'000; }, 32'000},
  };
  for (const auto& [change, edge] : edges) {
    EXPECT_TRUE(accepted(change, edge)) << edge;
    EXPECT_FALSE(accepted(change, edge + (edge < 0 ? -1 : 1))) << edge;
  }
}

// What works at the broker counts as if it filled in the worst way.
TEST(RiskGate, PendingOrdersCountAsExposure) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  config.limits.max_gross = 500'000;
  Desk d(config);
  d.connect();
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  d.want("a", "AAA", 6000);  // 300,000 pending
  d.flush();
  const IntentId second = d.want("a", "IBM", 2001);
  d.flush();
  EXPECT_EQ(d.verdicts(second).at(0).code, RejectCode::kMaxGross);
}

// The day's fills and what still works count; the next day begins at nothing.
TEST(RiskGate, TurnoverCountsFillsAndWorkingOrdersOfTheDay) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  config.limits.max_turnover = 100'000;
  Desk d(config);
  d.connect();
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  d.want("a", "IBM", 400);  // 40,000
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 100);
  d.want("a", "AAA", 800);  // 40,000 working
  d.flush();
  const auto code = [&d](std::int64_t target) {
    d.now += kSecond;
    d.bar("IBM", 100);
    const IntentId id = d.want("a", "IBM", target);
    d.flush();
    const auto v = d.verdicts(id).at(0);
    return v.accepted ? RejectCode::kOk : v.code;
  };
  EXPECT_EQ(code(199), RejectCode::kTurnover);  // closing counts, too
  EXPECT_EQ(code(200), RejectCode::kOk);
  d.now += 86'400 * kSecond;
  d.bar("AAA", 50);
  EXPECT_EQ(code(0), RejectCode::kOk);
}

TEST(RiskGate, ASectorsOwnCapReplacesTheGeneralOne) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  config.limits.max_sector = 100'000;
  for (auto& s : config.symbols) s.sector = Sector(s.symbol.view());
  config.symbols[1].max_sector = 200'000;
  Desk d(config);
  d.connect();
  d.bar("AAA", 50);
  d.bar("IBM", 100);
  const auto accepted = [&d](const char* symbol, std::int64_t target) {
    d.now += kSecond;
    d.bar("AAA", 50);
    d.bar("IBM", 100);
    const IntentId id = d.want("a", symbol, target);
    d.flush();
    return d.verdicts(id).at(0).accepted;
  };
  EXPECT_TRUE(accepted("AAA", 2000));
  EXPECT_FALSE(accepted("AAA", 2001));
  EXPECT_TRUE(accepted("IBM", 2000));
  EXPECT_FALSE(accepted("IBM", 2001));
}

TEST(RiskGate, ExitsSkipLossAndExposureLimitsAndNothingElse) {
  const auto exit_code = [](const Change& change) {
    EngineConfig config = config_of({"IBM"}, {"a"});
    Desk d(config);
    d.connect();
    d.bar("IBM", 100);
    hold(d, "IBM", 100, 100);
    change(config);
    d.engine.reconfigure(config);
    context(d, 40);
    d.now += kSecond;
    d.bar("IBM", 50);
    const IntentId id = d.want("a", "IBM", 40);
    d.flush();
    const auto v = d.verdicts(id).at(0);
    return v.accepted ? RejectCode::kOk : v.code;
  };
  using L = RiskLimits;
  for (const auto member :
       {&L::max_position, &L::max_positions, &L::max_gross, &L::max_net, &L::max_sector, &L::max_position_notional,
        &L::trade_risk, &L::trade_risk_hard, &L::max_group, &L::max_value_at_risk, &L::max_volatility, &L::daily_loss,
        &L::weekly_loss, &L::monthly_loss, &L::volatility_halt}) {
    EXPECT_EQ(exit_code(limit(member, 0)), RejectCode::kOk);
  }
  EXPECT_EQ(exit_code(limit(&L::max_order_notional, 0)), RejectCode::kMaxOrderNotional);
  EXPECT_EQ(exit_code(limit(&L::max_orders_per_minute, 0)), RejectCode::kOrderRate);
  EXPECT_EQ(exit_code(limit(&L::max_trades_per_day, 0)), RejectCode::kTradesPerDay);
  EXPECT_EQ(exit_code([](EngineConfig& c) { c.symbols[0].tradable = false; }), RejectCode::kNotTradable);
  EXPECT_EQ(exit_code([](EngineConfig& c) { c.symbols[0].restricted = true; }), RejectCode::kRestricted);
}

TEST(RiskGate, HighVolatilityHalvesWhatMayBeHeld) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.limits.max_position = 50'000;
  config.limits.volatility_reduce = 25 * kMoneyScale;
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  context(d, 24);
  const IntentId before = d.want("a", "IBM", 500);
  d.flush();
  EXPECT_TRUE(d.verdicts(before).at(0).accepted);
  d.now += kSecond;
  d.bar("IBM", 100);
  context(d, 25);
  const IntentId less = d.want("a", "IBM", 250);
  d.flush();
  EXPECT_TRUE(d.verdicts(less).at(0).accepted);
  d.now += kSecond;
  d.bar("IBM", 100);
  const IntentId more = d.want("a", "IBM", 251);
  d.flush();
  EXPECT_EQ(d.verdicts(more).at(0).code, RejectCode::kMaxPosition);
}

}  // namespace
}  // namespace tradewind::testing
