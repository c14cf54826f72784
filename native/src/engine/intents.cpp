// Core: intents: remembered by id, checked for sense, turned into targets. Verdicts are given when the symbol is
// routed.
#include "state.hpp"

namespace tradewind {
namespace {

bool same(const Intent& a, const Intent& b) {
  return a.strategy == b.strategy && a.symbol == b.symbol && a.target == b.target &&
         a.decision_time == b.decision_time && a.valid_until == b.valid_until && a.order_type == b.order_type &&
         a.time_in_force == b.time_in_force && a.limit_price == b.limit_price &&
         a.reference_price == b.reference_price && a.champion == b.champion && a.gates_passed == b.gates_passed &&
         a.model == b.model && a.model_version == b.model_version && a.terms == b.terms &&
         a.target_notional == b.target_notional && a.stop_loss == b.stop_loss && a.take_profit == b.take_profit &&
         a.plan == b.plan;
}

// Slices are market and limit orders; what waits for a price of its own can't be timed as well.
bool plan_fits(const Intent& intent) {
  const bool plain = intent.order_type == OrderType::kMarket || intent.order_type == OrderType::kLimit;
  const bool bracketed = intent.stop_loss.raw != 0 || intent.take_profit.raw != 0;
  return intent.plan.algorithm == Algorithm::kNone || (plain && intent.terms == OrderTerms{} && !bracketed);
}

}  // namespace

// A slot whose intent may be forgotten: expired (should it come again, it is refused as late) and in nobody's use.
std::uint32_t Engine::State::remember_intent(const Intent& intent) {
  const auto count = static_cast<std::uint32_t>(intents.size());
  for (std::uint32_t tries = 0; tries < count; ++tries) {
    const std::uint32_t slot = intent_hand;
    intent_hand = (intent_hand + 1) % count;
    IntentEntry& entry = intents[slot];
    if (entry.used) {
      const bool current = entry.sub != kNil && subs[entry.sub].intent == slot;
      if (current || entry.intent.valid_until >= now) continue;
      intent_index.erase(entry.intent.id);
    }
    entry = IntentEntry{intent, 0, kNil, true};
    intent_index.insert(intent.id, slot);
    return slot;
  }
  return kNil;
}

RejectCode Engine::State::intent_fault(const Intent& intent) const {
  if (intent.id.empty()) return RejectCode::kIntentInvalid;
  const std::uint32_t strategy = strategy_index.find(intent.strategy);
  if (strategy == kNil) return RejectCode::kUnknownStrategy;
  if (config.strategies[strategy].leaving != Leaving::kNo) return RejectCode::kStrategyLeaving;
  const std::uint32_t symbol = symbol_index.find(intent.symbol);
  if (symbol == kNil) return RejectCode::kUnknownSymbol;
  const bool type_known = intent.order_type != OrderType::kNone && intent.order_type <= OrderType::kTrailingStop;
  const bool life_known = intent.time_in_force != TimeInForce::kNone && intent.time_in_force <= TimeInForce::kCls;
  if (!type_known || !life_known) return RejectCode::kIntentInvalid;
  if (!plan_fault(intent.plan).empty()) return RejectCode::kIntentInvalid;
  const RejectCode terms = terms_fault(config.symbols[symbol], intent.order_type, intent.time_in_force, intent.terms);
  if (terms != RejectCode::kOk) return terms;
  if (!bracket_sound(intent)) return RejectCode::kBracket;
  if (!plan_fits(intent)) return RejectCode::kPlanTerms;
  if (intent.target_notional.raw != 0) {
    if (intent.target.raw != 0) return RejectCode::kIntentInvalid;
    if (symbols[symbol].price.raw <= 0) return RejectCode::kPriceAbsent;
  }
  const std::int64_t target = target_of(intent);
  if (target > kMaxTarget || target < -kMaxTarget) return RejectCode::kOverflow;
  if (intent.target.raw % config.symbols[symbol].quantity_increment.raw != 0) return RejectCode::kQuantityIncrement;
  return RejectCode::kOk;
}

// Signed. Of an amount of money what it buys at the last price, in whole increments, rounded towards zero; more than an
// intent may want when it does not fit.
std::int64_t Engine::State::target_of(const Intent& intent) const {
  if (intent.target_notional.raw == 0) return intent.target.raw;
  const std::uint32_t symbol = symbol_index.find(intent.symbol);
  const std::int64_t step = config.symbols[symbol].quantity_increment.raw;
  const Int128 quantity = static_cast<Int128>(intent.target_notional.raw) * kQuantityScale / symbols[symbol].price.raw;
  if (quantity > kMaxTarget || quantity < -kMaxTarget) return kMaxTarget + 1;
  return static_cast<std::int64_t>(quantity) / step * step;
}

void Engine::State::on_intent(const Intent& intent) {
  const auto refuse = [&](RejectCode code) {
    verdict(intent, false, code, Denial{code, Unit::kNone, 0, 0, 0}.message(), {}, 0);
  };
  if (!intent.id.empty()) {
    const std::uint32_t known = intent_index.find(intent.id);
    if (known != kNil) {
      if (!same(intents[known].intent, intent)) refuse(RejectCode::kIntentConflict);
      return;
    }
  }
  ++counts.intents;
  const RejectCode fault = intent_fault(intent);
  const std::uint32_t slot = intent.id.empty() ? kNil : remember_intent(intent);
  if (fault != RejectCode::kOk) return refuse(fault);
  if (slot == kNil) return refuse(RejectCode::kCapacity);
  const std::uint32_t symbol = symbol_index.find(intent.symbol);
  const std::size_t index = symbol * strategy_count + strategy_index.find(intent.strategy);
  Sub& s = subs[index];
  if (intent.decision_time < s.last_decision) return refuse(RejectCode::kIntentOutOfOrder);
  if (s.phase == SubPhase::kPending) {
    reject_sub(s, RejectCode::kIntentSuperseded, Denial{RejectCode::kIntentSuperseded, Unit::kNone, 0, 0, 0}.message());
  }
  const bool running = s.phase == SubPhase::kActive;
  intents[slot].sub = static_cast<std::uint32_t>(index);
  s.intent = slot;
  s.target = target_of(intent);
  s.exit = ExitReason::kNone;
  s.phase = SubPhase::kPending;
  s.last_decision = intent.decision_time;
  begin_work(s, symbol, intent, running);
  symbols[symbol].dirty = true;
  symbols[symbol].cross_pending = false;
}

void Engine::State::verdict(const Intent& intent, bool accepted, RejectCode code, const ShortText& message,
                            const ClientOrderId& order, std::uint32_t slice) {
  IntentVerdict v;
  v.intent = intent.id;
  v.strategy = intent.strategy;
  v.symbol = intent.symbol;
  v.accepted = accepted;
  v.code = code;
  v.message = message;
  v.order = order;
  v.slice = slice;
  v.decision_time = intent.decision_time;
  v.time = now;
  v.generation = config.generation;
  out->records.emplace_back(v);
  if (slice == 0) ++(accepted ? counts.accepted : counts.rejected);
  if (!accepted) ++counts.rejections[static_cast<std::size_t>(code)];
  count_verdict(intent, accepted, code, slice);
  hash_verdict(intent, accepted, code);
}

// The intent is refused (or, once accepted, its next slice): the strategy wants what it has.
void Engine::State::reject_sub(Sub& s, RejectCode code, const ShortText& message) {
  const IntentEntry& entry = intents[s.intent];
  verdict(entry.intent, false, code, message, {}, s.phase == SubPhase::kActive ? entry.slices + 1 : 0);
  exit_failed(s, code);
  idle(s);
}

void Engine::State::accept_sub(Sub& s, const ClientOrderId& order) {
  if (s.phase != SubPhase::kPending) return;
  const Intent& intent = intents[s.intent].intent;
  verdict(intent, true, RejectCode::kOk, {}, order, 0);
  s.stop_loss = intent.stop_loss;
  s.take_profit = intent.take_profit;
  s.phase = SubPhase::kActive;
}

void Engine::State::idle(Sub& s) {
  work(s).scheduled = false;
  s.phase = SubPhase::kIdle;
  s.target = s.book.position;
  s.exit = ExitReason::kNone;
  if (s.book.position == 0) s.stop_loss = s.take_profit = Money{};
}

}  // namespace tradewind
