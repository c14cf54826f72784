// Positions that prices push past a limit by more than the tolerance are cut back to it: how far, whose, and how.
#include "engine_scenarios.hpp"

namespace tradewind::testing {
namespace {

EngineConfig cutting(const std::vector<std::string>& symbols, const std::vector<std::string>& strategies,
                     const Change& change) {
  EngineConfig config = config_of(symbols, strategies);
  config.limits.cut_tolerance = 200'000;
  change(config);
  return config;
}

void wants(Desk& d, const std::string& strategy, const std::string& symbol, std::int64_t target) {
  d.want(strategy, symbol, target);
  d.flush();
  d.now += kSecond;
  d.bar(symbol, static_cast<double>(d.broker.prices[symbol].raw) / 1e8);
  d.flush();
}
// The market moves, and the desk's time passes.
void moves(Desk& d, const std::string& symbol, double price) {
  d.now += kSecond;
  d.bar(symbol, price);
  d.feed(TimeUpdate{});
}
Desk opened(const EngineConfig& config) {
  Desk d(config);
  d.connect();
  for (const SymbolConfig& s : config.symbols) d.bar(s.symbol.str(), 100);
  return d;
}

TEST(LimitCuts, APositionComesBackToItsLimitOnceItIsFurtherThanTheTolerance) {
  Desk d = opened(cutting({"IBM"}, {"a"}, limit(&RiskLimits::max_position, 50'000)));
  wants(d, "a", "IBM", 500);  // 50,000 of a million
  moves(d, "IBM", 119);       // 59,500 of 1,009,500: 5.89 %
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_EQ(d.all<Alert>().back().text.view(), "a position has grown beyond its limit");
  moves(d, "IBM", 122);  // 61,000 of 1,011,000: 6.03 %; 50,550 are 414 shares
  ASSERT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
  const BrokerRequest cut = d.requests(RequestKind::kSubmit).back();
  EXPECT_EQ(cut.side, Side::kSell);
  EXPECT_EQ(cut.order_type, OrderType::kMarket);
  EXPECT_EQ(cut.quantity, shares(86));
  const OrderRecord told = d.all<OrderRecord>().back();
  EXPECT_TRUE(told.reduce_only);
  EXPECT_EQ(told.exit, ExitReason::kLimitBreach);
  EXPECT_EQ(d.all<Alert>().back().text.view(), "a position beyond its limit (MAX_POSITION) is cut back");
  for (int i = 0; i < 3; ++i) d.feed(TimeUpdate{});  // it waits for the next bar, and is not sent again
  moves(d, "IBM", 122);
  EXPECT_EQ(d.position("IBM"), 414);
  moves(d, "IBM", 123);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 2u);
}

TEST(LimitCuts, WithoutAToleranceNothingIsCut) {
  EngineConfig config = cutting({"IBM"}, {"a"}, limit(&RiskLimits::max_position, 50'000));
  config.limits.cut_tolerance = kNoLimit;
  Desk d = opened(config);
  wants(d, "a", "IBM", 500);
  moves(d, "IBM", 200);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
}

// Two on the account's side share the cut by what they hold; the one against them keeps what it has.
TEST(LimitCuts, SubBooksAreCutInProportion) {
  Desk d = opened(cutting({"IBM"}, {"a", "b", "c"}, limit(&RiskLimits::max_position, 50'000)));
  wants(d, "c", "IBM", -100);
  wants(d, "a", "IBM", 400);
  wants(d, "b", "IBM", 200);
  ASSERT_EQ(d.position("IBM"), 500);
  moves(d, "IBM", 125);  // 62,500 of 1,012,500; 50,625 are 405 shares: 95 less, 63.3 and 31.7
  moves(d, "IBM", 125);
  EXPECT_EQ(d.position("IBM"), 405);
  EXPECT_EQ(d.position("IBM", "a"), 337);
  EXPECT_EQ(d.position("IBM", "b"), 168);
  EXPECT_EQ(d.position("IBM", "c"), -100);
}

struct Wide {
  std::string name;
  Change change;
  std::vector<std::pair<std::string, std::int64_t>> held;  // at 100
  std::string moved;
  double price;
  std::map<std::string, std::int64_t> left;
};

TEST(LimitCuts, EachLimitOfExposureCutsWhatCounts) {
  const std::vector<Wide> cases = {
      // 40,000 + 30,000 of 1,020,000 are beyond 6.6 %; 5.5 % are 56,100: x 0.80143
      {"gross",
       limit(&RiskLimits::max_gross, 55'000),
       {{"AAA", 200}, {"IBM", 300}},
       "AAA",
       200,
       {{"AAA", 160}, {"IBM", 240}}},
      // 60,000 - 10,000 of 1,030,000; the longs come down to 10,000 + 3 %: 40,900 of 60,000
      {"net",
       limit(&RiskLimits::max_net, 30'000),
       {{"AAA", 300}, {"IBM", -100}},
       "AAA",
       200,
       {{"AAA", 204}, {"IBM", -100}}},
      // Shorts of 60,000 where half of 6 % of 970,000 are 29,100
      {"short",
       [](EngineConfig& c) {
         c.limits.max_gross = 60'000;
         c.limits.max_short_of_gross = 500'000;
       },
       {{"AAA", 100}, {"IBM", -300}},
       "IBM",
       200,
       {{"AAA", 100}, {"IBM", -145}}},
      // 60,000 + 20,000 of the sector, 4 % of 1,030,000 are 41,200: x 0.515
      {"sector",
       [](EngineConfig& c) {
         c.limits.max_sector = 50'000;
         for (auto& s : c.symbols) {
           s.sector = Sector(s.symbol.view() == "ZZZ" ? "Energy" : "Tech");
           if (s.symbol.view() != "ZZZ") s.max_sector = 40'000;
         }
       },
       {{"AAA", 200}, {"IBM", 200}, {"ZZZ", 500}},
       "AAA",
       250,
       {{"AAA", 117}, {"IBM", 117}, {"ZZZ", 500}}},
      {"notional",
       limit(&RiskLimits::max_position_notional, dollars(30'000).raw),
       {{"AAA", 300}, {"IBM", 300}},
       "AAA",
       150,
       {{"AAA", 200}, {"IBM", 300}}},
  };
  for (const Wide& c : cases) {
    Desk d = opened(cutting({"AAA", "IBM", "ZZZ"}, {"a"}, c.change));
    for (const auto& [symbol, count] : c.held) wants(d, "a", symbol, count);
    const std::size_t before = d.requests(RequestKind::kSubmit).size();
    ASSERT_EQ(before, c.held.size()) << c.name;
    moves(d, c.moved, c.price);
    EXPECT_GT(d.requests(RequestKind::kSubmit).size(), before) << c.name;
    for (const auto& [symbol, count] : c.held) moves(d, symbol, symbol == c.moved ? c.price : 100);
    for (const auto& [symbol, count] : c.left) EXPECT_EQ(d.position(symbol), count) << c.name << " " << symbol;
  }
}

TEST(LimitCuts, AGroupAndTheAccountsRiskAreCut) {
  const Rows calm = {{"AAA", {0.01, -0.01}}, {"IBM", {0.01, -0.01}}};
  const Rows wild = {{"AAA", {0.04, -0.04}}, {"IBM", {0.04, -0.04}}};
  const auto left = [&](const Change& change, const std::string& group, bool stir) {
    Desk d = opened(cutting({"AAA", "IBM"}, {"a"}, change));
    estimates(d, calm, group);
    wants(d, "a", "AAA", 1000);
    wants(d, "a", "IBM", 1000);
    EXPECT_EQ(d.position("AAA"), 1000);
    if (stir) {
      estimates(d, wild, group);
      moves(d, "AAA", 100);
    } else {
      moves(d, "AAA", 200);
    }
    moves(d, "AAA", stir ? 100 : 200);
    moves(d, "IBM", 100);
    return std::pair{d.position("AAA"), d.position("IBM")};
  };
  using Held = std::pair<std::int64_t, std::int64_t>;
  // 300,000 of 1,100,000; 20 % are 220,000: x 0.7333
  EXPECT_EQ(left(limit(&RiskLimits::max_group, 200'000), "AAA", false), (Held{733, 733}));
  EXPECT_EQ(left(limit(&RiskLimits::max_group, 200'000), "", false), (Held{1000, 1000}));
  // 200,000 at 4 % are 8,000 a day: 0.8 % and 12.7 % a year; x 1.644854 at risk
  EXPECT_EQ(left(limit(&RiskLimits::max_volatility, 63'498), "", true), (Held{500, 500}));
  EXPECT_EQ(left(limit(&RiskLimits::max_value_at_risk, 6'580), "", true), (Held{500, 500}));
}

TEST(LimitCuts, TheLadderShrinksWhatIsHeld) {
  Desk d = opened(cutting({"AAA", "IBM"}, {"a"}, [](EngineConfig& c) {
    c.limits.max_position = 300'000;
    c.limits.drawdown_reduce = 50'000;
    c.limits.drawdown_reduce_factor = 500'000;
  }));
  wants(d, "a", "AAA", 2500);
  wants(d, "a", "IBM", 2500);
  moves(d, "AAA", 79);  // 52,500 lost: the limit is half of 30 %
  moves(d, "AAA", 79);
  moves(d, "IBM", 100);
  EXPECT_EQ(d.position("AAA"), 1799);  // 15 % of 947,500
  EXPECT_EQ(d.position("IBM"), 1421);
}

// A strategy that says with every bar that it wants what it has does not keep what is too much.
TEST(LimitCuts, AnIntentThatWouldKeepTooMuchIsRefusedByTheLimitsName) {
  Desk d = opened(cutting({"IBM"}, {"a"}, limit(&RiskLimits::max_position, 50'000)));
  wants(d, "a", "IBM", 500);
  d.now += kSecond;
  d.bar("IBM", 125);
  const IntentId keep = d.want("a", "IBM", 500);
  d.flush();
  ASSERT_EQ(d.verdicts(keep).size(), 1u);
  EXPECT_EQ(d.verdicts(keep)[0].code, RejectCode::kMaxPosition);
  EXPECT_EQ(d.verdicts(keep)[0].message.view(), "value 62500.00, limit 50625.00; 50625.00 would have passed");
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(95));
  d.now += kSecond;
  d.bar("IBM", 125);
  const IntentId less = d.want("a", "IBM", 300);  // closes more than the limit asks for
  d.flush();
  EXPECT_TRUE(d.verdicts(less)[0].accepted);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(105));
}

// Further entries that work at the broker are taken back with the cut.
TEST(LimitCuts, AWorkingEntryMakesWay) {
  Desk d = opened(cutting({"IBM"}, {"a"}, limit(&RiskLimits::max_position, 50'000)));
  wants(d, "a", "IBM", 400);
  Intent more = d.intent_of("a", "IBM", 500);
  more.order_type = OrderType::kLimit;
  more.limit_price = dollars(90);
  d.feed(more);
  d.flush();
  moves(d, "IBM", 160);  // 64,000 of 1,024,000; 51,200 are 320 shares
  EXPECT_EQ(d.requests(RequestKind::kCancel).size(), 1u);
  moves(d, "IBM", 160);
  EXPECT_EQ(d.position("IBM"), 320);
  EXPECT_EQ(d.engine.working_orders(), 0u);
}

// A cut is for the account: once another strategy's fill has taken the account off that side, it opens nothing.
TEST(LimitCuts, ACutOpensNothing) {
  Desk d = opened(cutting({"IBM"}, {"a", "c"}, limit(&RiskLimits::max_position, 50'000)));
  wants(d, "c", "IBM", -300);
  Intent back = d.intent_of("a", "IBM", 250);
  back.order_type = OrderType::kLimit;
  back.time_in_force = TimeInForce::kIoc;
  back.limit_price = dollars(95);
  d.feed(back);
  d.flush();
  d.answering = false;
  // 60,000 of 970,000 where 48,500 are allowed: 58 more. The working order is taken back to be netted, and fills.
  d.now += kSecond;
  d.feed(Desk::bar_of("IBM", d.now, 200, 200));
  d.feed(TimeUpdate{});
  ASSERT_EQ(d.sent.back().kind, RequestKind::kCancel);
  std::vector<BrokerEvent> stream;
  for (auto& [id, order] : d.broker.orders) {
    if (FakeBroker::open(order.view)) d.broker.fill(order, order.view.quantity.raw, dollars(95), stream);
  }
  d.answering = true;
  stream.push_back(d.broker.answer(BrokerEventKind::kCancelRejected, d.sent.back()));
  for (const BrokerEvent& e : stream) d.feed(e);
  for (int n = 0; n < 3; ++n) moves(d, "IBM", 200);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 3u);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().quantity, shares(50));  // as much as the account is short
  EXPECT_EQ(d.engine.working_orders(), 0u);
  EXPECT_EQ(d.position("IBM", "a"), 250);
  EXPECT_EQ(d.position("IBM", "c"), -250);
}

// What a schedule still holds back is given up: it would be refused slice by slice.
TEST(LimitCuts, AScheduleEndsWithTheCut) {
  Desk d = opened(cutting({"IBM"}, {"a"}, limit(&RiskLimits::max_position, 50'000)));
  Intent slow = d.intent_of("a", "IBM", 500);
  slow.plan = {.algorithm = Algorithm::kTwap, .duration = 5 * kSecond, .interval = kSecond};
  d.feed(slow);
  d.flush();
  for (int i = 0; i < 3; ++i) moves(d, "IBM", 100);
  ASSERT_EQ(d.position("IBM"), 300);
  moves(d, "IBM", 250);  // 100,000 of 1,045,000 with the fourth slice: 52,250 are 209 shares
  for (int i = 0; i < 6; ++i) moves(d, "IBM", 250);
  EXPECT_EQ(d.position("IBM"), 209);
  EXPECT_EQ(d.verdicts(slow.id).size(), 1u);
}

TEST(LimitCuts, ARefusedCutIsTriedAgainWithTheNextPrice) {
  Desk d = opened(cutting({"IBM"}, {"a"}, [](EngineConfig& c) {
    c.limits.max_position = 50'000;
    c.limits.skip_first = c.limits.skip_last = 0;
  }));
  d.feed(SessionUpdate{kStart - kSecond, kStart + 10 * kSecond, kStart + 1000 * kSecond});
  wants(d, "a", "IBM", 500);
  d.now = kStart + 20 * kSecond;
  moves(d, "IBM", 125);
  moves(d, "IBM", 125);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  EXPECT_EQ(d.all<IntentVerdict>().back().code, RejectCode::kOutOfSession);
  d.feed(SessionUpdate{kStart + 1000 * kSecond, kStart + 2000 * kSecond, kStart + 3000 * kSecond});
  d.now = kStart + 1000 * kSecond;
  moves(d, "IBM", 125);
  moves(d, "IBM", 125);
  EXPECT_EQ(d.position("IBM"), 405);
}

TEST(LimitCuts, AStopLossGoesBeforeACutThatIsUnderWay) {
  Desk d = opened(cutting({"IBM"}, {"a"}, limit(&RiskLimits::max_position, 50'000)));
  Intent i = d.intent_of("a", "IBM", 500);
  i.stop_loss = dollars(90);
  i.reference_price = dollars(100);
  d.feed(i);
  d.flush();
  moves(d, "IBM", 100);
  d.answering = false;
  moves(d, "IBM", 125);
  d.answering = true;
  moves(d, "IBM", 80);
  d.connect();
  for (int n = 0; n < 3; ++n) moves(d, "IBM", 80);
  EXPECT_EQ(d.position("IBM"), 0);
  EXPECT_EQ(d.all<OrderRecord>().back().exit, ExitReason::kStopLoss);
}

}  // namespace
}  // namespace tradewind::testing
