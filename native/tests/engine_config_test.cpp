// Configuration: what is read is what was written, and what is wrong is named. Reconfiguration carries the books over.
#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

std::string error_of(const std::string& text) {
  try {
    (void)parse_engine_config(text);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Config, CanonicalTextReadsBackTheSame) {
  EngineConfig c = config_of({"IBM", "AAA"}, {"b", "a"});
  c.limits.max_position = 123'457;
  c.limits.max_order_notional = 12'345'678'901;
  c.strategies[0].capital_share = 1;
  const std::string text = canonical_json(parse_engine_config(canonical_json(c)));
  EXPECT_EQ(canonical_json(parse_engine_config(text)), text);
  const EngineConfig back = parse_engine_config(text);
  EXPECT_EQ(back.limits.max_position, 123'457);
  EXPECT_EQ(back.limits.max_order_notional, 12'345'678'901);
  EXPECT_EQ(back.limits.max_gross, kNoLimit);
  EXPECT_EQ(back.symbols[0].symbol.view(), "AAA");
  EXPECT_EQ(back.strategies[1].capital_share, 1);
}

TEST(Config, FaultsAreNamed) {
  const std::string good = canonical_json(config_of({"IBM"}, {"a"}));
  EXPECT_EQ(error_of(good), "");
  const std::vector<std::pair<std::string, std::string>> faults = {
      {replaced(good, "\"max_positions\"", "\"max_pos\""), "limits.max_positions"},
      {replaced(good, "\"allow_short\":true", "\"allow_short\":true,\"speed\":1"), "limits.speed"},
      {replaced(good, "\"tradable\":true", "\"tradable\":1"), "symbols[0].tradable"},
      {replaced(good, "\"price_increment\":\"0.01\"", "\"price_increment\":\"0.000000001\""),
       "symbols[0].price_increment"},
      {replaced(good, "\"max_position_pct\":null", "\"max_position_pct\":\"5%\""), "limits.max_position_pct"},
      {replaced(good, "\"max_position_pct\":null", "\"max_position_pct\":-0.1"), "limits.max_position_pct"},
      {replaced(good, "\"account\":\"test\"", "\"account\":\"\""), "engine.account"},
      {replaced(good, "\"mode\":\"paper\"", "\"mode\":\"fast\""), "engine.mode"},
      {replaced(good, "\"max_orders\":256", "\"max_orders\":3"), "engine.max_orders"},
      {replaced(good, "{\"account\"", "{\"bogus\":0,\"account\""), "engine.bogus"},
      {"[1", "not JSON"},
  };
  for (const auto& [text, name] : faults)
    EXPECT_NE(error_of(text).find(name), std::string::npos) << name << ": " << error_of(text);
  EngineConfig twice = config_of({"IBM", "IBM"}, {"a"});
  EXPECT_THROW(validate(twice), ConfigError);
}

TEST(Reconfigure, BooksOrdersAndIntentsAreCarriedOverByName) {
  EngineConfig config = config_of({"IBM"}, {"b"});
  Desk d(config);
  d.connect();
  d.bar("IBM", 100);
  const Intent i = d.intent_of("b", "IBM", 10);
  d.feed(i);
  d.flush();
  const std::string decisions = d.engine.decision_hash();
  d.engine.reconfigure(config_of({"AAA", "IBM", "ZZZ"}, {"a", "b", "c"}));  // every index moves
  EXPECT_EQ(d.engine.check_invariants(), "");
  EXPECT_EQ(d.engine.decision_hash(), decisions);
  d.feed(i);  // still known
  d.flush();
  EXPECT_EQ(d.requests(RequestKind::kSubmit).size(), 1u);
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.position("IBM", "b"), 10);
  const IntentId next = d.want("c", "IBM", -4);
  d.flush();
  EXPECT_TRUE(d.verdicts(next).at(0).accepted);
  d.now += kSecond;
  d.bar("IBM", 100);
  EXPECT_EQ(d.position("IBM"), 6);
}

TEST(Reconfigure, WhatIsHeldCannotVanish) {
  Desk d(config_of({"AAA", "IBM"}, {"a", "b"}));
  d.connect();
  d.bar("IBM", 100);
  d.want("a", "IBM", 10);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 101);
  EXPECT_THROW(d.engine.reconfigure(config_of({"AAA"}, {"a", "b"})), ConfigError);
  EXPECT_THROW(d.engine.reconfigure(config_of({"AAA", "IBM"}, {"b"})), ConfigError);
  EXPECT_EQ(d.position("IBM", "a"), 10);
  // Closed with a profit, the strategy may go: its profit stays in the account.
  d.want("a", "IBM", 0);
  d.flush();
  d.now += kSecond;
  d.bar("IBM", 105);
  d.engine.reconfigure(config_of({"IBM"}, {"b"}));
  EXPECT_EQ(d.engine.check_invariants(), "");
  EXPECT_EQ(d.engine.account().cash, d.broker.cash);
}

}  // namespace
}  // namespace tradewind::testing
