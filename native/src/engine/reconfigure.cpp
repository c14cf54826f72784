// Core: a new configuration at a step boundary: what is held and what is known is carried over by name.
#include <utility>

#include "state.hpp"

namespace tradewind {
namespace {

// What must not vanish.
bool in_use(const Sub& s) { return s.book.position != 0 || s.phase != SubPhase::kIdle; }

}  // namespace

void Engine::State::carry_over(const State& old) {
  now = old.now;
  config.limits = limits_at(given, now);
  next_request = old.next_request;
  next_offset = old.next_offset;
  stream_id = old.stream_id;
  link_up = old.link_up;
  ready = old.ready;
  paused = old.paused;
  shutdown = old.shutdown;
  fenced = old.fenced;
  account_known = old.account_known;
  cash = old.cash;
  leverage = old.leverage;
  calendar = old.calendar;
  rate_arrival = old.rate_arrival;
  ladder = old.ladder;
  ladder_cut = old.ladder_cut;
  volatility_index = old.volatility_index;
  bar_time = old.bar_time;
  work_next = old.work_next;
  kill = old.kill;
  reconcile = old.reconcile;
  reconciled_at = old.reconciled_at;
  foreign = old.foreign;
  foreign_hand = old.foreign_hand;
  counts = old.counts;
  decisions = old.decisions;
  last_risk = old.last_risk;
  last_account = old.last_account;

  std::vector<std::uint32_t> strategy_of(old.strategy_count), symbol_of(old.symbol_count);
  for (std::size_t k = 0; k < old.strategy_count; ++k)
    strategy_of[k] = strategy_index.find(old.config.strategies[k].uid);
  for (std::size_t i = 0; i < old.symbol_count; ++i) symbol_of[i] = symbol_index.find(old.config.symbols[i].symbol);
  for (std::size_t i = 0; i < old.symbol_count; ++i) {
    const SymbolState& from = old.symbols[i];
    const std::string name = old.config.symbols[i].symbol.str();
    if (symbol_of[i] == kNil && (from.book.position != 0 || from.working != kNil)) {
      throw ConfigError("engine.symbols: " + name + " is still held or working; close it before removing it");
    }
    for (std::size_t k = 0; k < old.strategy_count; ++k) {
      if ((symbol_of[i] == kNil || strategy_of[k] == kNil) && in_use(old.sub(k, i))) {
        throw ConfigError("engine.strategies: " + old.config.strategies[k].uid.str() + " still has a position in " +
                          name + "; close it before removing the strategy");
      }
      // Its share of a working order has nobody to go to.
      const bool leaving = from.replaced != kNil && old.orders[from.replaced].shares[k] != 0;
      if (strategy_of[k] == kNil && from.working != kNil && (leaving || old.orders[from.working].shares[k] != 0)) {
        throw ConfigError("engine.strategies: " + old.config.strategies[k].uid.str() +
                          " has an order working; cancel it first");
      }
    }
  }
  for (std::size_t k = 0; k < old.strategy_count; ++k) {
    if (strategy_of[k] == kNil) continue;
    departures[strategy_of[k]] = old.departures[k];
    strategy_records[strategy_of[k]] = old.strategy_records[k];
  }
  // Old slots keep their numbers, so that nothing that points to them must be changed.
  const auto keep = [](auto& pool, const auto& from, auto used) {
    std::size_t needed = 0;
    for (std::size_t i = 0; i < from.size(); ++i) needed = used(from[i]) ? i + 1 : needed;
    if (needed > pool.size()) pool.resize(needed);
    std::copy_n(from.begin(), std::min(pool.size(), from.size()), pool.begin());
  };
  keep(intents, old.intents, [](const IntentEntry& e) { return e.used; });
  keep(orders, old.orders, [](const Order& o) { return o.state != OrderState::kNone; });
  intent_index = FlatIndex<IntentId>(intents.size());
  order_index = FlatIndex<ClientOrderId>(orders.size());
  intent_hand = old.intent_hand % static_cast<std::uint32_t>(intents.size());
  order_hand = old.order_hand % static_cast<std::uint32_t>(orders.size());

  for (std::size_t i = 0; i < old.symbol_count; ++i) {
    if (symbol_of[i] == kNil) continue;
    SymbolState& to = symbols[symbol_of[i]];
    const std::size_t sector = to.sector;
    to = old.symbols[i];
    to.sector = sector;
    tapes[symbol_of[i]] = old.tapes[i];
    to.value = to.gross = to.net_long = to.net_short = to.shorts = to.pending = 0;
    to.low_cents = to.high_cents = 0;
    to.held = to.overflow = false;
    for (std::size_t k = 0; k < old.strategy_count; ++k) {
      if (strategy_of[k] != kNil) {
        sub(strategy_of[k], symbol_of[i]) = old.sub(k, i);
        work(sub(strategy_of[k], symbol_of[i])) = old.work(old.sub(k, i));
      } else
        to.departed += old.sub(k, i).book.realized;
    }
  }
  for (std::uint32_t slot = 0; slot < intents.size(); ++slot) {
    IntentEntry& entry = intents[slot];
    if (!entry.used) continue;
    intent_index.insert(entry.intent.id, slot);
    if (entry.sub == kNil) continue;
    const std::uint32_t symbol = symbol_of[entry.sub / old.strategy_count];
    const std::uint32_t strategy = strategy_of[entry.sub % old.strategy_count];
    const bool gone = symbol == kNil || strategy == kNil;
    entry.sub = gone ? kNil : static_cast<std::uint32_t>(symbol * strategy_count + strategy);
  }
  for (std::uint32_t slot = 0; slot < orders.size(); ++slot) {
    Order& order = orders[slot];
    if (order.state == OrderState::kNone) continue;
    const std::uint32_t symbol = symbol_of[order.symbol];
    bool orphaned = symbol == kNil;  // finished long ago, and a strategy behind it is gone
    for (std::size_t k = 0; k < old.strategy_count; ++k)
      orphaned = orphaned || (strategy_of[k] == kNil && order.shares[k] != 0);
    if (orphaned) {
      if (symbol != kNil && (symbols[symbol].book_order == slot || symbols[symbol].replaced == slot))
        symbols[symbol].book_order = symbols[symbol].replaced = kNil;
      order = Order{};
      continue;
    }
    const Order from = order;
    order.symbol = symbol;
    order.shares = order.allocated = order.amounts = {};
    order.intents.fill(kNil);
    order.intent_ids = {};
    for (std::size_t k = 0; k < old.strategy_count; ++k) {
      if (strategy_of[k] == kNil) continue;
      order.shares[strategy_of[k]] = from.shares[k];
      order.allocated[strategy_of[k]] = from.allocated[k];
      order.amounts[strategy_of[k]] = from.amounts[k];
      order.intents[strategy_of[k]] = from.intents[k];
      order.intent_ids[strategy_of[k]] = from.intent_ids[k];
    }
    order_index.insert(order.client_id, slot);
  }
  carry_estimates(old, symbol_of);
  for (std::uint32_t i = 0; i < symbol_count; ++i) refresh(i);
}

// The exposures are put in by refresh(), which comes next.
void Engine::State::carry_estimates(const State& old, std::span<const std::uint32_t> symbol_of) {
  session = old.session;
  recent = old.recent;
  feed_seen = old.feed_seen;
  link_up_at = old.link_up_at;
  link_down_at = old.link_down_at;
  breaches = old.breaches;
  cut_due = true;
  rest = old.rest;
  feed = old.feed;
  feed_trial = old.feed_trial;
  estimate_time = old.estimate_time;
  scenarios.count = old.scenarios.count;
  for (std::size_t i = 0; i < old.symbol_count; ++i) {
    if (symbol_of[i] == kNil) continue;
    const auto moved = [&symbol_of](Estimate estimate) {
      if (estimate.group != kNil) estimate.group = symbol_of[estimate.group];
      return estimate;
    };
    estimates[symbol_of[i]] = moved(old.estimates[i]);
    staged[symbol_of[i]] = moved(old.staged[i]);
  }
}

void Engine::reconfigure(EngineConfig config) {
  validate(config);
  if (config.account != state_->config.account) {
    throw ConfigError("engine.account: is " + state_->config.account + "; an engine cannot change its account");
  }
  auto next = std::make_unique<State>(std::move(config));
  next->carry_over(*state_);
  state_ = std::move(next);
}

}  // namespace tradewind
