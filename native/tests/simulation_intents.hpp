// What the strategies of a seeded day ask for: every type, life, bracket and algorithm, and now and then nonsense.
#pragma once

#include <random>

#include "simulation_witness.hpp"

namespace tradewind::testing {

class IntentSource {
 public:
  IntentSource(std::mt19937_64& random, Reached& reached) : random_(random), reached_(reached) {}

  Intent next(Time now) {
    Intent i;
    i.id = IntentId("i" + std::to_string(++number_));
    i.strategy = StrategyId(std::string(1, static_cast<char>('a' + random_() % 3)));
    i.symbol = Symbol(kStormSymbols[random_() % 2]);
    i.target = shares(static_cast<std::int64_t>(random_() % 9) * 100 - 400);
    i.decision_time = now;
    i.valid_until = now + static_cast<Time>(random_() % 20) * kSecond;
    dress(i, now);
    if (chance(8)) spoil(i);
    return i;
  }

 private:
  bool chance(std::uint64_t one_in) { return random_() % one_in == 0; }
  Money somewhere() { return dollars(95 + static_cast<double>(random_() % 10)); }

  // Everything that an intent can ask of an order.
  void dress(Intent& i, Time now) {
    using T = TimeInForce;
    i.reference_price = dollars(100);
    if (chance(6)) {
      i.target_notional = Money{i.target.raw / kShare * dollars(100).raw};
      i.target = {};
    } else if (chance(12)) {
      i.target.raw += kShare / 2;
    }
    const bool flat = i.target.raw == 0 && i.target_notional.raw == 0;
    const std::uint64_t kind = random_() % 8;
    if (kind >= 2 && kind != 7) i.order_type = static_cast<OrderType>(2 + (kind - 2) % 4);
    if (has_limit(i.order_type)) i.limit_price = somewhere();
    if (has_stop(i.order_type)) i.terms.stop_price = somewhere();
    if (i.order_type == OrderType::kTrailingStop) {
      if (chance(2))
        i.terms.trail_price = dollars(1 + static_cast<double>(random_() % 5));
      else
        i.terms.trail_ratio = 10'000 * static_cast<std::int64_t>(1 + random_() % 6);
    }
    if (kind == 7) return plan(i, now);
    const bool trailing = i.order_type == OrderType::kTrailingStop;
    const std::uint64_t lives = trailing ? 2 : has_stop(i.order_type) ? 4 : 6;
    if (chance(3)) i.time_in_force = static_cast<T>(1 + random_() % lives);
    const bool stays = i.time_in_force == T::kDay || i.time_in_force == T::kGtc;
    i.terms.extended_hours = i.order_type == OrderType::kLimit && stays && chance(4);
    if (flat || !chance(2)) return;
    const bool is_long = i.target.raw > 0 || i.target_notional.raw > 0;
    const Money above = dollars(101 + static_cast<double>(random_() % 9));
    const Money below = dollars(99 - static_cast<double>(random_() % 9));
    if (!chance(4)) i.stop_loss = is_long ? below : above;
    if (!chance(4)) i.take_profit = is_long ? above : below;
  }

  // Worked over some seconds by one of the algorithms.
  void plan(Intent& i, Time now) {
    i.plan.algorithm = static_cast<Algorithm>(1 + random_() % 6);
    i.plan.interval = 2 * kSecond;
    i.plan.duration = static_cast<Time>(2 + random_() % 5) * i.plan.interval;
    i.plan.urgency = static_cast<std::int64_t>(random_() % 11) * 100'000;
    if (i.plan.algorithm == Algorithm::kParticipation || chance(4)) i.plan.participation = 200'000;
    if (chance(3)) i.plan.jitter = 200'000;
    if (i.plan.algorithm == Algorithm::kImplementationShortfall) i.plan.risk_rate = 1'000'000;
    i.valid_until = now + 30 * kSecond;
    if (chance(2)) {
      i.order_type = OrderType::kLimit;
      i.limit_price = somewhere();
    }
    ++reached_["plan " + std::to_string(static_cast<int>(i.plan.algorithm))];
  }

  void spoil(Intent& i) {
    const std::uint64_t what = random_() % 13;
    if (what == 8) i.terms.stop_price = Money{i.terms.stop_price.raw + 1};
    if (what == 9) i.terms.trail_ratio = kRatioScale;
    if (what == 10) i.stop_loss = i.take_profit = dollars(100);
    if (what == 11) {
      i.plan = {.algorithm = Algorithm::kTwap, .duration = 4 * kSecond, .interval = kSecond};
      i.order_type = OrderType::kStop;
      i.time_in_force = TimeInForce::kDay;
      i.terms = {};
      i.terms.stop_price = dollars(100);
      i.stop_loss = i.take_profit = {};
    }
    if (what == 12) i.terms.extended_hours = true;
    if (what > 7) return;
    if (what == 0) i.strategy = StrategyId("nobody");
    if (what == 1) i.symbol = Symbol("NONE");
    if (what == 2) i.decision_time -= 200 * kSecond;
    if (what == 3) i.target.raw += 1;
    if (what == 4) i.time_in_force = TimeInForce::kNone;
    if (what == 5) i.target.raw = std::numeric_limits<std::int64_t>::max();
    if (what < 6) return;
    i.order_type = OrderType::kLimit;
    i.limit_price = what == 6 ? Money{} : Money{dollars(100).raw + 1};
  }

  std::mt19937_64& random_;
  Reached& reached_;
  int number_ = 0;
};

}  // namespace tradewind::testing
