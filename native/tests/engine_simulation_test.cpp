// Many seeded days (simulation_storm.hpp): no order twice, none lost, no limit passed, the books equal after every
// event. TRADEWIND_SEEDS=n runs seeds 1 to n; TRADEWIND_SEED=n runs that one again, exactly as it was.
#include <cstdlib>
#include <iostream>

#include "simulation_storm.hpp"

namespace tradewind::testing {
namespace {

constexpr std::uint64_t kSeeds = 1'000;  // as `make test` runs it

// What a thousand seeds must have gone through; the second figure is far below what they do.
const Reached kMustReach = {
    {"fill", 2'000},
    {"thin bar", 1'000},
    {"replaced", 10},
    {"cash compared", 10'000},
    {"request lost", 1'000},
    {"answer lost", 1'000},
    {"delayed", 1'000},
    {"reordered", 1'000},
    {"stream message lost", 100},
    {"stream message twice", 500},
    {"link dropped", 1'000},
    {"order sent again", 100},
    {"late request accepted", 50},
    {"late request known already", 10},
    {"duplicate refused by the broker", 10},
    {"refused in the answer", 100},
    {"refused on the stream", 50},
    {"expired", 100},
    {"kill switch", 100},
    {"deleted 1", 100},
    {"deleted 2", 100},
    {"deleted 3", 100},
    {"deleted and flat", 50},
    {"death before the journal's write", 300},
    {"death in the journal's write", 300},
    {"death between write and send", 300},
    {"death after a send", 20},
    {"state >SUBMITTED", 1},
    {"state SUBMITTED>UNKNOWN", 1},
    {"state SUBMITTED>ACCEPTED", 1},
    {"state SUBMITTED>PARTIALLY_FILLED", 1},
    {"state SUBMITTED>FILLED", 1},
    {"state SUBMITTED>EXPIRED", 1},
    {"state SUBMITTED>REJECTED", 1},
    {"state UNKNOWN>SUBMITTED", 1},
    {"state UNKNOWN>ACCEPTED", 1},
    {"state UNKNOWN>PARTIALLY_FILLED", 1},
    {"state UNKNOWN>FILLED", 1},
    {"state UNKNOWN>EXPIRED", 1},
    {"state UNKNOWN>REJECTED", 1},
    {"state ACCEPTED>PARTIALLY_FILLED", 1},
    {"state ACCEPTED>FILLED", 1},
    {"state ACCEPTED>PENDING_CANCEL", 1},
    {"state ACCEPTED>PENDING_REPLACE", 1},
    {"state ACCEPTED>EXPIRED", 1},
    {"state ACCEPTED>REJECTED", 1},
    {"state PARTIALLY_FILLED>PARTIALLY_FILLED", 1},
    {"state PARTIALLY_FILLED>FILLED", 1},
    {"state PARTIALLY_FILLED>PENDING_CANCEL", 1},
    {"state PARTIALLY_FILLED>EXPIRED", 1},
    {"state PENDING_CANCEL>PENDING_CANCEL", 1},
    {"state PENDING_CANCEL>CANCELED", 1},
    {"state PENDING_CANCEL>FILLED", 1},
    {"state PENDING_CANCEL>EXPIRED", 1},
    {"state PENDING_CANCEL>REJECTED", 1},
    {"state PENDING_REPLACE>REPLACED", 1},
    {"state ACCEPTED>CANCELED", 1},
    {"filled type 1", 500},
    {"filled type 2", 100},
    {"filled type 3", 100},
    {"filled type 4", 50},
    {"filled type 5", 50},
    {"filled life 1", 500},
    {"filled life 2", 100},
    {"filled life 3", 10},
    {"filled life 4", 10},
    {"filled life 5", 10},
    {"filled life 6", 10},
    {"filled exit 1", 50},
    {"filled exit 2", 50},
    {"filled exit 3", 5},
    {"filled exit 4", 10},
    {"plan 1", 100},
    {"plan 2", 100},
    {"plan 3", 100},
    {"plan 4", 100},
    {"plan 5", 100},
    {"plan 6", 100},
    {"code BRACKET", 1},
    {"code BROKER_FAILING", 1},
    {"code EXTENDED_HOURS", 1},
    {"code FRACTION", 1},
    {"code MAX_SECTOR_EXPOSURE", 1},
    {"code ORDER_TERMS", 1},
    {"code PLAN_TERMS", 1},
    {"code STOP_PRICE", 1},
    {"code TRADE_RISK", 1},
    {"code TRAIL", 1},
    {"code BROKER_REJECTED", 1},
    {"code CAPITAL_BUDGET", 1},
    {"code DAILY_LOSS", 1},
    {"code INTENT_INVALID", 1},
    {"code INTENT_OUT_OF_ORDER", 1},
    {"code INTENT_SUPERSEDED", 1},
    {"code KILL_SWITCH", 1},
    {"code LATE_INTENT", 1},
    {"code LIMIT_PRICE_ABSENT", 1},
    {"code LIMIT_PRICE_INCREMENT", 1},
    {"code LINK_DOWN", 1},
    {"code MAX_NET_EXPOSURE", 1},
    {"code MAX_ORDER_NOTIONAL", 1},
    {"code MAX_POSITION", 1},
    {"code MAX_POSITIONS", 1},
    {"code MAX_POSITION_NOTIONAL", 1},
    {"code MAX_SHORT_SHARE", 1},
    {"code MONTHLY_LOSS", 1},
    {"code NEVER_ARRIVED", 1},
    {"code NOT_RECONCILED", 1},
    {"code ORDER_RATE", 1},
    {"code ORDER_TIMEOUT", 1},
    {"code OVERFLOW", 1},
    {"code PAUSED", 1},
    {"code PRICE_ABSENT", 1},
    {"code PRICE_COLLAR", 1},
    {"code PRICE_STALE", 1},
    {"code QUANTITY_INCREMENT", 1},
    {"code SHORT_NOT_ALLOWED", 1},
    {"code STRATEGY_LEAVING", 100},
    {"code TRADES_PER_DAY", 1},
    {"code TURNOVER_PER_DAY", 1},
    {"code UNKNOWN_STRATEGY", 1},
    {"code UNKNOWN_SYMBOL", 1},
    {"code WEEKLY_LOSS", 1},
};

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string play(std::uint64_t seed, Reached* reached, std::string* fingerprint) {
  Storm storm(seed);
  storm.run(300);
  storm.settle();
  if (reached != nullptr) {
    for (const auto& [name, count] : storm.reached()) (*reached)[name] += count;
  }
  if (fingerprint != nullptr) *fingerprint = storm.fingerprint();
  return storm.verdict();
}

TEST(Simulation, InvariantsHoldInEveryStorm) {
  const std::uint64_t only = number_from("TRADEWIND_SEED", 0);
  const std::uint64_t last = only != 0 ? only : number_from("TRADEWIND_SEEDS", kSeeds);
  Reached reached;
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= last; ++seed) {
    ASSERT_EQ(play(seed, &reached, nullptr), "") << "again with TRADEWIND_SEED=" << seed;
  }
  for (const auto& [name, count] : reached) std::cout << count << '\t' << name << '\n';
  if (only != 0) return;
  ASSERT_GE(last, kSeeds);
  for (const auto& [name, count] : kMustReach) EXPECT_GE(reached[name], count) << name;
}

TEST(Simulation, ASeedIsTheSameStormEveryTime) {
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::string first, second;
    ASSERT_EQ(play(seed, nullptr, &first), "");
    ASSERT_EQ(play(seed, nullptr, &second), "");
    EXPECT_EQ(first, second) << "seed " << seed;
    different.insert(first);
  }
  EXPECT_EQ(different.size(), 50U);
}

}  // namespace
}  // namespace tradewind::testing
