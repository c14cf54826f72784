// Core: the schedules of execution algorithms in the engine: each strategy's intent is released in slices, and what is
// released is netted with the other strategies' like any wish. Everything follows from inputs, so a replay plans alike.
#include <algorithm>
#include <cstdlib>

#include "state.hpp"
#include "tradewind/algorithms/smart_routing.hpp"

namespace tradewind {
namespace {

// From here on (ppm, not included) what limit orders left of a window goes out as a market order at its end.
constexpr std::int64_t kCrossesAtEnd = 500'000;

// Whole shares where the broker takes no fraction of one: short, or for longer than the day.
std::int64_t slice_increment(const SymbolConfig& symbol, const Intent& intent, std::int64_t target) {
  const bool whole = !is_crypto(symbol.symbol) && (target < 0 || intent.time_in_force != TimeInForce::kDay);
  return whole ? std::max(symbol.quantity_increment.raw, kQuantityScale) : symbol.quantity_increment.raw;
}

// The risk rate follows the volatility of the moment, so it differs from one decision to the next.
bool same_settings(ExecutionPlan a, const ExecutionPlan& b) {
  a.risk_rate = b.risk_rate;
  return a == b;
}

}  // namespace

// A schedule holds back entries only: what merely reduces the strategy's position goes at once, and of an order across
// zero the part that closes. A further intent the same way under the same plan joins the window that is open, so that a
// strategy which decides again with every bar does not begin anew each time.
void Engine::State::begin_work(Sub& s, std::uint32_t symbol, const Intent& intent, bool running) {
  Work& w = work(s);
  w.order_type = intent.order_type;
  w.limit_price = intent.limit_price;
  s.interim = s.target;
  const std::int64_t position = s.book.position, sign = s.target < position ? -1 : 1;
  const bool closes = position != 0 && (position < 0) != (sign < 0);
  const std::int64_t crossed = closes ? std::min(std::abs(position), std::abs(s.target - position)) : 0;
  const std::int64_t origin = position + sign * crossed;
  const bool joins = running && w.scheduled && same_settings(w.asked, intent.plan) && w.sign == sign && !closes &&
                     !w.schedule.ended(now) && sign * (s.target - w.origin) > 0;
  if (joins) {
    w.schedule.resize(sign * (s.target - w.origin));
  } else {
    w.scheduled = false;
    ExecutionPlan plan = intent.plan;
    if (plan.algorithm == Algorithm::kSmart) {
      const Route route = smart_route(std::abs(s.target - position), plan.urgency, tapes[symbol]);
      plan.algorithm = route.algorithm;
      if (route.order_type == OrderType::kMarket) w.order_type = OrderType::kMarket;
    }
    if (plan.algorithm == Algorithm::kNone || s.target == origin) return;
    w.scheduled = true;
    w.asked = intent.plan;
    w.origin = origin;
    w.sign = sign;
    w.schedule = Schedule(plan, std::abs(s.target - origin), slice_increment(config.symbols[symbol], intent, s.target),
                          now, seed_of(intent.id.view()), tapes[symbol]);
    (void)w.schedule.advance(now, 0, tapes[symbol]);
  }
  s.interim = w.origin + sign * w.schedule.released();
  work_next = std::min(work_next, w.schedule.clock().begin(w.schedule.slice() + 1));
}

// Looks at the schedules only when a slice may have begun.
void Engine::State::advance_works() {
  if (now < work_next) return;
  work_next = std::numeric_limits<Time>::max();
  for (std::uint32_t index = 0; index < works.size(); ++index) {
    if (!works[index].scheduled) continue;
    advance_work(index);
    const Schedule& schedule = works[index].schedule;
    if (works[index].scheduled) work_next = std::min(work_next, schedule.clock().begin(schedule.slice() + 1));
  }
}

void Engine::State::advance_work(std::uint32_t index) {
  Work& w = works[index];
  Sub& s = subs[index];
  const auto symbol = static_cast<std::uint32_t>(index / strategy_count);
  const Intent& intent = intents[s.intent].intent;
  if (now > intent.valid_until) {  // what is out stays out, the rest is given up
    w.scheduled = false;
    s.target = s.interim;
    symbols[symbol].dirty = true;
    return;
  }
  const std::int64_t executed = std::max<std::int64_t>(w.sign * (s.book.position - w.origin), 0);
  if (!w.schedule.advance(now, executed, tapes[symbol])) return;
  const bool ended = w.schedule.ended(now);
  if (ended && w.schedule.plan().urgency > kCrossesAtEnd) w.order_type = OrderType::kMarket;
  reprice(w, symbol, intent);
  s.interim = w.origin + w.sign * w.schedule.released();
  symbols[symbol].dirty = true;
  w.scheduled = !ended || w.schedule.released() < w.schedule.total();
}

// A slice's limit keeps the distance to the last price that the first one had to the price of the decision, rounded
// towards filling.
void Engine::State::reprice(Work& w, std::uint32_t symbol, const Intent& intent) const {
  const Money price = symbols[symbol].price;
  if (w.order_type != OrderType::kLimit || intent.reference_price.raw <= 0 || price.raw <= 0) return;
  const std::int64_t step = config.symbols[symbol].price_increment.raw;
  const Int128 exact = static_cast<Int128>(intent.limit_price.raw) * price.raw / intent.reference_price.raw;
  if (exact > std::numeric_limits<std::int64_t>::max() - step) return;
  const auto raw = static_cast<std::int64_t>(exact);
  const std::int64_t steps = w.sign > 0 ? (raw + step - 1) / step : raw / step;
  w.limit_price.raw = std::max<std::int64_t>(steps, 1) * step;
}

bool Engine::State::more_to_come(const Sub& s) const {
  const Work& w = work(s);
  return w.scheduled && s.target != s.book.position &&
         (w.schedule.released() < w.schedule.total() || w.schedule.slice() < w.schedule.clock().count() - 1);
}

// Nothing is wanted now: the intent is done, unless its schedule has more to release.
void Engine::State::settle(Sub& s) {
  if (!more_to_come(s)) idle(s);
}

// The broker or time ended a slice before it was filled: the rest waits for the next one, if there is one.
void Engine::State::slice_ended(Sub& s) {
  if (!more_to_come(s)) return idle(s);
  s.interim = s.book.position;
}

}  // namespace tradewind
