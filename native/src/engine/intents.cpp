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
         a.model == b.model && a.model_version == b.model_version;
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
  if (strategy_index.find(intent.strategy) == kNil) return RejectCode::kUnknownStrategy;
  const std::uint32_t symbol = symbol_index.find(intent.symbol);
  if (symbol == kNil) return RejectCode::kUnknownSymbol;
  const bool market = intent.order_type == OrderType::kMarket;
  const bool known = market || intent.order_type == OrderType::kLimit;
  if (!known || intent.time_in_force == TimeInForce::kNone) return RejectCode::kIntentInvalid;
  if (intent.target.raw > kMaxTarget || intent.target.raw < -kMaxTarget) return RejectCode::kOverflow;
  if (intent.target.raw % config.symbols[symbol].quantity_increment.raw != 0) return RejectCode::kQuantityIncrement;
  return RejectCode::kOk;
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
  intents[slot].sub = static_cast<std::uint32_t>(index);
  s.intent = slot;
  s.target = intent.target.raw;
  s.phase = SubPhase::kPending;
  s.last_decision = intent.decision_time;
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
  hash_verdict(intent, accepted, code);
}

// The intent is refused (or, once accepted, its next slice): the strategy wants what it has.
void Engine::State::reject_sub(Sub& s, RejectCode code, const ShortText& message) {
  const IntentEntry& entry = intents[s.intent];
  verdict(entry.intent, false, code, message, {}, s.phase == SubPhase::kActive ? entry.slices + 1 : 0);
  idle(s);
}

void Engine::State::accept_sub(Sub& s, const ClientOrderId& order) {
  if (s.phase != SubPhase::kPending) return;
  verdict(intents[s.intent].intent, true, RejectCode::kOk, {}, order, 0);
  s.phase = SubPhase::kActive;
}

void Engine::State::idle(Sub& s) {
  s.phase = SubPhase::kIdle;
  s.target = s.book.position;
}

}  // namespace tradewind
