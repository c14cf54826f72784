// Types, lives and prices of orders; amounts of money as targets; pairs and fractions.
#include "engine_scenarios.hpp"
#include "tradewind/engine/order_terms.hpp"
#include "tradewind/engine/risk_gate.hpp"

namespace tradewind::testing {
namespace {

using C = RejectCode;
using O = OrderType;
using T = TimeInForce;

SymbolConfig named(const std::string& symbol) {
  SymbolConfig s;
  s.symbol = Symbol(symbol);
  return s;
}
OrderTerms terms_of(O type) {
  OrderTerms t;
  if (has_stop(type)) t.stop_price = dollars(101);
  if (type == O::kTrailingStop) t.trail_ratio = 20'000;
  return t;
}

// Alpaca's matrix: every type in every life, for an equity and for a pair.
TEST(OrderTerms, TypesAndLivesAreThoseOfTheBroker) {
  const std::map<O, std::set<T>> equity{{O::kMarket, {T::kDay, T::kGtc, T::kIoc, T::kFok, T::kOpg, T::kCls}},
                                        {O::kLimit, {T::kDay, T::kGtc, T::kIoc, T::kFok, T::kOpg, T::kCls}},
                                        {O::kStop, {T::kDay, T::kGtc, T::kIoc, T::kFok}},
                                        {O::kStopLimit, {T::kDay, T::kGtc, T::kIoc, T::kFok}},
                                        {O::kTrailingStop, {T::kDay, T::kGtc}}};
  const std::map<O, std::set<T>> pair{{O::kMarket, {T::kGtc, T::kIoc}},
                                      {O::kLimit, {T::kGtc, T::kIoc}},
                                      {O::kStop, {}},
                                      {O::kStopLimit, {T::kGtc, T::kIoc}},
                                      {O::kTrailingStop, {}}};
  int taken = 0;
  for (const auto& [type, lives] : equity) {
    for (int life = 1; life <= 6; ++life) {
      const T tif = static_cast<T>(life);
      EXPECT_EQ(terms_fault(named("IBM"), type, tif, terms_of(type)) == C::kOk, lives.contains(tif));
      EXPECT_EQ(terms_fault(named("BTC/USD"), type, tif, terms_of(type)) == C::kOk, pair.at(type).contains(tif));
      taken += lives.contains(tif) ? 1 : 0;
    }
  }
  EXPECT_EQ(taken, 22);
}

TEST(OrderTerms, ExtendedHoursTakeLimitOrdersForTheDayOrUntilCancelled) {
  OrderTerms extended;
  extended.extended_hours = true;
  EXPECT_EQ(terms_fault(named("IBM"), O::kLimit, T::kDay, extended), C::kOk);
  EXPECT_EQ(terms_fault(named("IBM"), O::kLimit, T::kGtc, extended), C::kOk);
  EXPECT_EQ(terms_fault(named("IBM"), O::kLimit, T::kIoc, extended), C::kOrderTerms);
  EXPECT_EQ(terms_fault(named("IBM"), O::kMarket, T::kDay, extended), C::kOrderTerms);
  EXPECT_EQ(terms_fault(named("BTC/USD"), O::kLimit, T::kGtc, extended), C::kOrderTerms);
}

TEST(OrderTerms, PricesBelongToTheirTypes) {
  OrderTerms none, stop, odd, both;
  stop.stop_price = dollars(101);
  odd.stop_price = Money{dollars(101).raw + 1};
  both.trail_price = dollars(1);
  both.trail_ratio = 10'000;
  EXPECT_EQ(terms_fault(named("IBM"), O::kStop, T::kDay, none), C::kStopPrice);
  EXPECT_EQ(terms_fault(named("IBM"), O::kStop, T::kDay, odd), C::kStopPrice);
  EXPECT_EQ(terms_fault(named("IBM"), O::kMarket, T::kDay, stop), C::kStopPrice);
  EXPECT_EQ(terms_fault(named("IBM"), O::kTrailingStop, T::kDay, none), C::kTrail);
  EXPECT_EQ(terms_fault(named("IBM"), O::kTrailingStop, T::kDay, both), C::kTrail);
  both.trail_ratio = 0;
  EXPECT_EQ(terms_fault(named("IBM"), O::kTrailingStop, T::kDay, both), C::kOk);
  EXPECT_EQ(terms_fault(named("IBM"), O::kLimit, T::kDay, both), C::kTrail);
}

Desk desk(EngineConfig config) {
  Desk d(std::move(config));
  d.connect();
  for (const auto& s : d.engine.config().symbols) d.bar(s.symbol.str(), 100);
  return d;
}

TEST(OrderTerms, AStopOrderReachesTheWireAndIsReplacedWithAnotherStop) {
  Desk d = desk(config_of({"IBM"}, {"a"}));
  for (const double stop : {104.0, 103.0}) {
    d.now += kSecond;
    Intent i = d.intent_of("a", "IBM", 10);
    i.order_type = O::kStop;
    i.terms.stop_price = dollars(stop);
    d.feed(i);
    d.flush();
  }
  EXPECT_EQ(d.requests(RequestKind::kSubmit).at(0).terms.stop_price, dollars(104));
  ASSERT_EQ(d.requests(RequestKind::kReplace).size(), 1u);
  EXPECT_EQ(d.requests(RequestKind::kReplace)[0].terms.stop_price, dollars(103));
  EXPECT_EQ(d.requests(RequestKind::kReplace)[0].order_type, O::kStop);
}

// A stop is looked at where it would fill, a trailing stop at the last price.
TEST(OrderTerms, TheGateTakesTheWorstPriceOfTheType) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.limits.max_order_notional = dollars(1040).raw;
  config.limits.price_collar = 50'000;
  const auto verdict = [&config](O type, double stop, double limit, std::int64_t trail) {
    Desk d = desk(config);
    Intent i = d.intent_of("a", "IBM", 10);
    i.order_type = type;
    i.terms.stop_price = dollars(stop);
    i.terms.trail_ratio = trail;
    i.limit_price = dollars(limit);
    d.feed(i);
    d.flush();
    return d.verdicts(i.id).at(0).code;
  };
  EXPECT_EQ(verdict(O::kStop, 104, 0, 0), C::kOk);
  EXPECT_EQ(verdict(O::kStop, 105, 0, 0), C::kMaxOrderNotional);
  EXPECT_EQ(verdict(O::kStop, 106, 0, 0), C::kPriceCollar);
  EXPECT_EQ(verdict(O::kStopLimit, 101, 105, 0), C::kMaxOrderNotional);
  EXPECT_EQ(verdict(O::kStopLimit, 101, 106, 0), C::kPriceCollar);
  EXPECT_EQ(verdict(O::kStopLimit, 101, 0, 0), C::kLimitPriceAbsent);
  EXPECT_EQ(verdict(O::kTrailingStop, 0, 0, 90'000), C::kOk);
}

TEST(OrderTerms, AnAmountOfMoneyBecomesWholeIncrementsAtTheLastPrice) {
  EngineConfig config = config_of({"BTC/USD", "IBM"}, {"a"});
  config.symbols[0].quantity_increment.raw = 1;
  Desk d = desk(config);
  for (const char* symbol : {"BTC/USD", "IBM"}) {
    Intent i = d.intent_of("a", symbol, 0);
    i.target_notional = dollars(1234.56);
    i.time_in_force = T::kGtc;
    d.feed(i);
  }
  d.flush();
  EXPECT_EQ(d.requests(RequestKind::kSubmit).at(0).quantity.raw, 12'345'600'000);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).at(1).quantity, shares(12));
  Intent both = d.intent_of("a", "IBM", 5);
  both.target_notional = dollars(10);
  d.feed(both);
  EXPECT_EQ(d.verdicts(both.id).at(0).code, C::kIntentInvalid);
}

TEST(OrderTerms, FractionsTradeForTheDayAndNeverShort) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  config.symbols[0].quantity_increment.raw = 1;
  const auto code = [&config](std::int64_t target, T tif, O type) {
    Desk d = desk(config);
    Intent i = d.intent_of("a", "IBM", 0);
    i.target.raw = target;
    i.time_in_force = tif;
    i.order_type = type;
    i.terms = terms_of(type);
    d.feed(i);
    d.flush();
    return d.verdicts(i.id).at(0).code;
  };
  EXPECT_EQ(code(kShare / 2, T::kDay, O::kMarket), C::kOk);
  EXPECT_EQ(code(kShare / 2, T::kDay, O::kStop), C::kOk);
  EXPECT_EQ(code(kShare / 2, T::kGtc, O::kMarket), C::kFraction);
  EXPECT_EQ(code(kShare / 2, T::kDay, O::kTrailingStop), C::kFraction);
  EXPECT_EQ(code(-kShare / 2, T::kDay, O::kMarket), C::kFraction);
  EXPECT_EQ(code(-kShare, T::kGtc, O::kMarket), C::kOk);
}

TEST(OrderTerms, ThePositionOfAPairIsFoundUnderItsNameWithoutTheSlash) {
  Desk d = desk(config_of({"BTC/USD"}, {"a"}));
  Intent i = d.intent_of("a", "BTC/USD", 2);
  i.time_in_force = T::kGtc;
  d.feed(i);
  d.flush();
  d.now += kSecond;
  d.bar("BTC/USD", 100);
  d.answering = false;
  d.connect();
  const BrokerRequest snapshot = d.requests(RequestKind::kSnapshot).back();
  for (BrokerEvent e : d.broker.snapshot(snapshot)) {
    if (e.kind == BrokerEventKind::kPosition) e.order.symbol = Symbol("BTCUSD");
    d.feed(e);
  }
  EXPECT_TRUE(d.engine.ready());
  d.answering = true;
  d.halt(true);
  EXPECT_EQ(d.requests(RequestKind::kSubmit).back().time_in_force, T::kGtc);  // pairs know no day
  d.now += kSecond;
  d.bar("BTC/USD", 100);
  EXPECT_EQ(d.all<KillRecord>().back().phase, KillPhase::kFlat);
}

}  // namespace
}  // namespace tradewind::testing
