// Core: what became of each strategy's decisions: whoever tries a model with real capital judges it by these figures.
#include "state.hpp"

namespace tradewind {

// Of a strategy that is not configured nothing is kept.
void Engine::State::count_verdict(const Intent& intent, bool accepted, RejectCode code, std::uint32_t slice) {
  const std::uint32_t index = strategy_index.find(intent.strategy);
  if (index == kNil) return;
  StrategyRecord& record = strategy_records[index];
  if (slice == 0) ++record.intents;
  if (!accepted) ++record.rejections[static_cast<std::size_t>(code)];
}

// The broker will not take the order, for everybody who has a share in it.
void Engine::State::count_refused(const Order& order) {
  for (std::size_t k = 0; k < strategy_count; ++k) {
    if (order.shares[k] != 0) ++strategy_records[k].rejections[static_cast<std::size_t>(order.code)];
  }
}

void Engine::strategy_records(std::vector<StrategyRecord>& out) const { out = state_->strategy_records; }

}  // namespace tradewind
