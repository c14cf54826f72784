// What the slow loop's estimates do in the engine: compared with plain floating-point arithmetic, and sets as a whole.
#include <algorithm>
#include <cmath>
#include <random>

#include "engine_scenarios.hpp"

namespace tradewind::testing {
namespace {

constexpr double kUnit = 1 << kReturnBits;

Scenarios::Risk at_rest(const Scenarios& s) { return s.risk(Estimate{}, 0, 0); }

// Both figures from the definition: sorted gains, and the root of the mean square times the normal quantile.
struct Plain {
  std::vector<double> gains;
  [[nodiscard]] double deviation() const {
    double squares = 0;
    for (const double g : gains) squares += g * g;
    return std::sqrt(squares / static_cast<double>(gains.size()));
  }
  [[nodiscard]] double value_at_risk() const {
    std::vector<double> sorted = gains;
    std::sort(sorted.begin(), sorted.end());
    return std::max({-sorted[sorted.size() / 20], 1.644854 * deviation(), 0.0});
  }
};

TEST(Scenarios, ValueAtRiskAndDeviationAreThoseOfPlainArithmetic) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const auto count = static_cast<std::uint8_t>(2 + random() % (kScenarios - 1));
    Scenarios scenarios;
    scenarios.count = count;
    Plain plain;
    plain.gains.assign(count, 0);
    Estimate last;
    std::int64_t last_cents = 0;
    for (int symbol = 0; symbol < 8; ++symbol) {
      RiskEstimate row;
      row.count = count;
      for (std::size_t t = 0; t < count; ++t) row.returns[t] = static_cast<std::int32_t>(random() % 200'001) - 100'000;
      last = estimate_of(row);
      last_cents = static_cast<std::int64_t>(random() % 20'000'001) - 10'000'000;
      if (symbol < 7) scenarios.add(last, 0, last_cents, last_cents, +1);
      for (std::size_t t = 0; t < count; ++t)
        plain.gains[t] += static_cast<double>(last_cents) * row.returns[t] / kUnit;
    }
    const auto risk = scenarios.risk(last, 0, last_cents);  // the eighth is an order
    EXPECT_NEAR(static_cast<double>(risk.deviation) / kUnit, plain.deviation(), 1e-6 * plain.deviation() + 1);
    EXPECT_NEAR(static_cast<double>(risk.value_at_risk) / kUnit, plain.value_at_risk(),
                1e-5 * plain.value_at_risk() + 1);
    // The quick answer never says yes where the exact one says no, and is not far from it.
    const std::int64_t var = risk.value_at_risk, day = risk.deviation;
    EXPECT_FALSE(scenarios.within(last, 0, last_cents, var - 1 - var / 1000, kNoLimit));
    EXPECT_FALSE(scenarios.within(last, 0, last_cents, kNoLimit, day - 1 - day / 1000));
    EXPECT_TRUE(scenarios.within(last, 0, last_cents, var + var / 1000 + 10, day + day / 1000 + 10));
  }
}

// Whatever part of the working orders fills, the account is at most as risky as was counted.
TEST(Scenarios, WhatWorksCountsAsIfItFilledInTheWorstWay) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 100; ++round) {
    Scenarios bound;
    bound.count = 40;
    std::vector<Estimate> rows;
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (int symbol = 0; symbol < 5; ++symbol) {
      RiskEstimate row;
      row.count = 40;
      for (std::size_t t = 0; t < 40; ++t) row.returns[t] = static_cast<std::int32_t>(random() % 60'001) - 30'000;
      rows.push_back(estimate_of(row));
      const auto held = static_cast<std::int64_t>(random() % 2'000'001) - 1'000'000;
      const auto more = static_cast<std::int64_t>(random() % 1'000'000);
      ranges.emplace_back(held, held + more);
      bound.add(rows.back(), 0, held, held + more, +1);
    }
    const auto most = at_rest(bound);
    for (int fill = 0; fill < 20; ++fill) {
      Scenarios after;
      after.count = 40;
      for (std::size_t s = 0; s < rows.size(); ++s) {
        const auto [low, high] = ranges[s];
        const std::int64_t cents =
            low + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1));
        after.add(rows[s], 0, cents, cents, +1);
      }
      EXPECT_LE(at_rest(after).deviation, most.deviation);
      EXPECT_LE(at_rest(after).value_at_risk, most.value_at_risk);
    }
    for (std::size_t s = 0; s < rows.size(); ++s) bound.add(rows[s], 0, ranges[s].first, ranges[s].second, -1);
    EXPECT_EQ(at_rest(bound).deviation, 0);
  }
}

TEST(Scenarios, TheRootIsTheFloorOfTheRoot) {
  for (const std::uint64_t root : {0ULL, 1ULL, 2ULL, 65'535ULL, 4'294'967'295ULL, 9'000'000'000'000'000'000ULL}) {
    const UInt128 square = static_cast<UInt128>(root) * root;
    EXPECT_EQ(integer_root(square), root);
    EXPECT_EQ(root == 0 ? 0 : integer_root(square - 1) + 1, root);
    EXPECT_EQ(integer_root(square + root), root);
  }
  EXPECT_EQ(daily_move(500'000) * 1'000'000 / (1 << kReturnBits), 31'497);  // 50 % a year are 3.15 % a day
}

RejectCode code_of(Desk& d, const char* symbol, std::int64_t target) {
  const IntentId id = d.want("a", symbol, target);
  d.flush();
  const auto v = d.verdicts(id).at(0);
  return v.accepted ? RejectCode::kOk : v.code;
}

// Below the figure that the arithmetic gives it passes, above it does not.
TEST(Portfolio, LimitsLieWhereTheArithmeticPutsThem) {
  const auto code = [](const Change& change, std::int64_t target) {
    EngineConfig config = config_of({"IBM"}, {"a"});
    change(config);
    Desk d(config);
    d.connect();
    d.bar("IBM", 100);
    estimates(d, {{"IBM", {0.01, -0.01}}});
    return code_of(d, "IBM", target);
  };
  using L = RiskLimits;
  struct Edge {
    std::int64_t RiskLimits::* member;
    std::int64_t limit, passes;  // shares at 100 of a million; the deviation of a day is 1 %
    RejectCode denied;
  };
  const std::vector<Edge> edges = {
      {&L::trade_risk, 4'000, 1999, RejectCode::kTradeRisk},
      {&L::trade_risk_hard, 10'000, 4999, RejectCode::kTradeRiskHard},
      {&L::max_value_at_risk, 10'000, 6079, RejectCode::kValueAtRisk},        // 1 % / 1.644854 %
      {&L::max_volatility, 100'000, 6299, RejectCode::kPortfolioVolatility},  // 10 % / 15.8745 %
  };
  for (const auto& [member, most, passes, denied] : edges) {
    EXPECT_EQ(code(limit(member, most), passes), RejectCode::kOk) << to_string(denied);
    EXPECT_EQ(code(limit(member, most), passes + 2), denied);
    EXPECT_EQ(code(limit(member, most), -passes), RejectCode::kOk) << to_string(denied);
    EXPECT_EQ(code(limit(member, most), -passes - 2), denied);
  }
}

TEST(Portfolio, AHedgePassesWhereMoreOfTheSameDoesNot) {
  EngineConfig config = config_of({"AAA", "IBM", "ZZZ"}, {"a"});
  Desk d(config);
  d.connect();
  for (const char* s : {"AAA", "IBM", "ZZZ"}) d.bar(s, 100);
  const std::vector<double> moves = {0.02, -0.02, 0.01, -0.01};
  estimates(d, {{"AAA", moves}, {"IBM", moves}, {"ZZZ", moves}});
  hold(d, "AAA", 5000, 100);
  config.limits.max_value_at_risk = 1;  // far below what is held
  d.engine.reconfigure(config);
  EXPECT_EQ(code_of(d, "IBM", 1), RejectCode::kValueAtRisk);
  EXPECT_EQ(code_of(d, "ZZZ", -1000), RejectCode::kOk);
  EXPECT_EQ(code_of(d, "AAA", 4000), RejectCode::kOk);  // an exit is not asked
}

TEST(Portfolio, ASymbolWithoutAnEstimateMovesByTheAssumptionAndAgainstTheAccount) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  config.limits.max_volatility = 250'000;
  config.limits.assumed_volatility = 500'000;
  Desk d(config);
  d.connect();
  d.bar("AAA", 100);
  d.bar("IBM", 100);
  estimates(d, {{"AAA", {0.01, -0.01}}});
  hold(d, "AAA", -5000, 100);  // 7.9 % a year
  EXPECT_EQ(code_of(d, "IBM", 3420), RejectCode::kPortfolioVolatility);
  EXPECT_EQ(code_of(d, "IBM", 3400), RejectCode::kOk);  // (25 - 7.94) / 50
}

TEST(Portfolio, HalfASetChangesNothingAndAnotherLengthIsNoEstimate) {
  EngineConfig config = config_of({"AAA", "IBM"}, {"a"});
  Desk d(config);
  d.connect();
  d.bar("AAA", 100);
  d.bar("IBM", 100);
  estimates(d, {{"AAA", {0.01, -0.01}}, {"IBM", {0.01, -0.01}}});
  hold(d, "IBM", 1000, 100);
  const std::int64_t before = d.engine.risk().volatility;
  EXPECT_NEAR(static_cast<double>(before), 15'875, 5);
  RiskEstimate half = row_of("IBM", d.now, {0.05, -0.05});
  half.first = true;
  d.feed(half);
  EXPECT_EQ(d.engine.risk().volatility, before);
  RiskEstimate rest = row_of("AAA", d.now, {0.05, -0.05, 0.05});
  rest.last = true;
  d.feed(rest);  // IBM's row has two returns, this set has three: the assumption holds
  EXPECT_NEAR(static_cast<double>(d.engine.risk().volatility), 50'000, 20);
}

TEST(Portfolio, EstimatesAreCarriedOverByNameWhenTheSymbolsChange) {
  Desk d(config_of({"IBM", "ZZZ"}, {"a"}));
  d.connect();
  d.bar("IBM", 100);
  d.bar("ZZZ", 100);
  estimates(d, {{"IBM", {0.01, -0.01}}, {"ZZZ", {0.02, -0.02}}}, "IBM");
  hold(d, "ZZZ", 1000, 100);
  const RiskRecord before = d.engine.risk();
  EngineConfig more = config_of({"AAA", "IBM", "ZZZ"}, {"a"});
  more.limits.max_group = 150'000;
  d.engine.reconfigure(more);
  EXPECT_EQ(d.engine.check_invariants(), "");
  EXPECT_EQ(d.engine.risk().volatility, before.volatility);
  EXPECT_EQ(d.engine.risk().estimate_time, before.estimate_time);
  EXPECT_EQ(code_of(d, "IBM", 501), RejectCode::kMaxGroup);
  EXPECT_EQ(code_of(d, "IBM", 500), RejectCode::kOk);
}

// Quantity times the distance to the stop, and no nearer than a gap: estimates of 1 % a day make that 0.5 % or 0.5.
TEST(Portfolio, AStopSaysWhatATradeRisks) {
  const auto most = [](double stop, double limit_price, std::int64_t sign, std::int64_t gap) {
    EngineConfig config = config_of({"IBM"}, {"a"});
    config.limits.trade_risk = 2'000;  // 2,000 of a million
    config.limits.gap_move = gap;
    std::int64_t low = 0, high = 39'000;
    while (high - low > 1) {
      Desk d(config);
      d.connect();
      d.bar("IBM", 100);
      estimates(d, {{"IBM", {0.01, -0.01}}});
      Intent i = d.intent_of("a", "IBM", sign * (low + high) / 2);
      i.reference_price = dollars(100);
      i.stop_loss = dollars(stop);
      if (limit_price > 0) {
        i.order_type = OrderType::kLimit;
        i.limit_price = dollars(limit_price);
      }
      d.feed(i);
      d.flush();
      const IntentVerdict v = d.verdicts(i.id).at(0);
      EXPECT_TRUE(v.accepted || v.code == RejectCode::kTradeRisk) << to_string(v.code);
      (v.accepted ? low : high) = (low + high) / 2;
    }
    return low;
  };
  constexpr std::int64_t half = kRatioScale / 2;
  EXPECT_NEAR(static_cast<double>(most(0, 0, 1, half)), 1000, 1);  // none: two deviations of 1 %
  EXPECT_EQ(most(96, 0, 1, half), 500);
  EXPECT_EQ(most(98, 0, 1, half), 1000);
  EXPECT_EQ(most(99, 0, 1, half), 2000);
  EXPECT_EQ(most(101, 0, -1, half), 2000);
  EXPECT_NEAR(static_cast<double>(most(99.9, 0, 1, half)), 4000, 1);  // nearer than an overnight gap
  EXPECT_EQ(most(99.9, 0, 1, kNoLimit), 20'000);
  EXPECT_EQ(most(99, 101, 1, half), 1000);   // it may be bought at 101
  EXPECT_EQ(most(99, 99.5, 1, half), 2000);  // ... and at 99.50 it might never be
}

TEST(Portfolio, AStopProtectsItsOwnStrategysPartOnly) {
  EngineConfig config = config_of({"IBM"}, {"a", "b"});
  config.limits.trade_risk = 2'000;
  config.limits.gap_move = kRatioScale / 2;
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  estimates(d, {{"IBM", {0.01, -0.01}}});
  const auto code = [&d](const std::string& strategy, std::int64_t target, double stop) {
    d.now += kSecond;
    Intent i = d.intent_of(strategy, "IBM", target);
    i.reference_price = dollars(100);
    i.stop_loss = dollars(stop);
    d.feed(i);
    d.flush();
    d.now += kSecond;
    d.bar("IBM", 100);
    const IntentVerdict v = d.verdicts(i.id).at(0);
    return v.accepted ? RejectCode::kOk : v.code;
  };
  EXPECT_EQ(code("a", 1000, 99), RejectCode::kOk);  // 1,000 at risk
  EXPECT_EQ(code("b", 501, 0), RejectCode::kTradeRisk);
  EXPECT_EQ(code("b", 499, 0), RejectCode::kOk);  // and 998 more
  EXPECT_EQ(d.position("IBM"), 1499);
  EXPECT_EQ(code("a", 1002, 99), RejectCode::kTradeRisk);
}

}  // namespace
}  // namespace tradewind::testing
