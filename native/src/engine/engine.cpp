// Core: one step of the engine, and what can be asked of it between steps.
#include "tradewind/engine/engine.hpp"

#include <array>
#include <cstdio>
#include <limits>
#include <utility>

#include "state.hpp"

namespace tradewind {

Engine::State::State(EngineConfig c)
    : given(std::move(c)),
      config(given),
      symbol_count(config.symbols.size()),
      strategy_count(config.strategies.size()),
      symbol_index(symbol_count),
      strategy_index(strategy_count),
      symbols(symbol_count),
      subs(symbol_count * strategy_count),
      works(subs.size()),
      departures(strategy_count),
      tapes(symbol_count),
      intents(config.max_intents),
      intent_index(config.max_intents),
      orders(config.max_orders),
      order_index(config.max_orders),
      estimates(symbol_count),
      staged(symbol_count),
      group_gross(symbol_count),
      kept(symbol_count),
      kept_for(symbol_count),
      assumed_move(
          daily_move(config.limits.assumed_volatility == kNoLimit ? kRatioScale : config.limits.assumed_volatility)) {
  std::vector<Sector> sectors;
  for (std::size_t s = 0; s < symbol_count; ++s) {
    symbol_index.insert(config.symbols[s].symbol, static_cast<std::uint32_t>(s));
    std::size_t sector = 0;
    while (sector < sectors.size() && sectors[sector] != config.symbols[s].sector) ++sector;
    if (sector == sectors.size()) sectors.push_back(config.symbols[s].sector);
    symbols[s].sector = sector;
  }
  for (std::size_t k = 0; k < strategy_count; ++k) {
    strategy_index.insert(config.strategies[k].uid, static_cast<std::uint32_t>(k));
  }
  sector_gross.resize(sectors.size());
  strategy_records.resize(strategy_count);
  for (std::size_t k = 0; k < strategy_count; ++k) strategy_records[k].strategy = config.strategies[k].uid;
}

void Engine::State::alert(Severity severity, const Symbol& symbol, std::string_view text) {
  Alert a;
  a.severity = severity;
  a.symbol = symbol;
  a.text.assign(text.substr(0, 200));
  a.time = now;
  out->records.emplace_back(a);
}

void Engine::State::step(const Input& input) {
  ++counts.inputs;
  now = std::max(now, input.now);
  if (input.topic > 0 && input.topic < next_offset.size() && input.offset >= next_offset[input.topic]) {
    next_offset[input.topic] = input.offset + 1;
  }
  apply_overrides();
  roll_calendar();
  if (const auto* bar = std::get_if<BarUpdate>(&input.body))
    on_bar(*bar);
  else if (const auto* intent = std::get_if<Intent>(&input.body))
    on_intent(*intent);
  else if (const auto* event = std::get_if<BrokerEvent>(&input.body))
    on_broker(*event);
  else if (const auto* control = std::get_if<Control>(&input.body))
    on_control(*control);
  else if (const auto* estimate = std::get_if<RiskEstimate>(&input.body))
    on_estimate(*estimate);
  else if (const auto* day = std::get_if<SessionUpdate>(&input.body))
    on_session(*day);
  else
    on_time();
  run_timers();
  finish_reconcile();
  route_when_quiet();
  advance_kill();
  publish_risk();
}

void Engine::State::on_control(const Control& control) {
  switch (control.kind) {
    case ControlKind::kHalt:
      trip(control.reason.view(), control.issued_by.view(), control.flatten);
      return;
    case ControlKind::kResume:
      release(control);
      return;
    case ControlKind::kPause:
      paused = true;
      return;
    case ControlKind::kFlush:
      flush();
      return;
    case ControlKind::kShutdown:
      shutdown = true;
      return;
    case ControlKind::kLeaseLost:
      return on_lease(false);
    case ControlKind::kLeaseHeld:
      return on_lease(true);
    case ControlKind::kStarted:
    case ControlKind::kStopped:
    case ControlKind::kNone:
      return;
  }
}

// Time passes for the watch only here: in a replay it comes with the bars, and what is pushed before them is no
// silence.
void Engine::State::on_time() {
  watch_feed_and_link();
  flush();
}

// An override is told when it begins and when it ends; it ends by the engine's own time.
void Engine::State::apply_overrides() {
  if (given.overrides.empty() || (overrides_told && now < overrides_change)) return;
  const Time before = overrides_told ? overrides_change : now;
  overrides_change = std::numeric_limits<Time>::max();
  for (const LimitOverride& o : given.overrides) {
    const bool ended = now >= o.until;
    if (!ended) overrides_change = std::min(overrides_change, o.until);
    if (overrides_told ? !ended || o.until < before : ended) continue;
    std::array<char, 201> text{};
    const auto part = [](const auto& words) { return static_cast<int>(words.view().size()); };
    // NOLINTBEGIN(bugprone-suspicious-stringview-data-usage): each comes with its size
    std::snprintf(text.data(), text.size(), "override of %.*s by %.*s %s: %.*s", part(o.limit), o.limit.view().data(),
                  part(o.issued_by), o.issued_by.view().data(), ended ? "has ended" : "holds", part(o.reason),
                  o.reason.view().data());
    // NOLINTEND(bugprone-suspicious-stringview-data-usage)
    alert(Severity::kWarning, Symbol{}, text.data());
  }
  overrides_told = true;
  config.limits = limits_at(given, now);
  cut_due = true;
}

// Everything that waits for time: it passes only with inputs.
void Engine::State::run_timers() {
  const bool due = config.reconcile_every > 0 && ready && now - reconciled_at >= config.reconcile_every;
  if (due && reconcile.retry_next == 0) reconcile_soon();
  try_broker();
  if (reconcile.retry_next != 0 && now >= reconcile.retry_next && link_up) ask_snapshot();
  if (now < timers_due) return;
  timers_due = std::numeric_limits<Time>::max();
  for (SymbolState& symbol : symbols) {
    each_open(symbol, [this](Order& order) {
      if (order.lookup_next != 0 && now >= order.lookup_next) lookup(order);
      check_silence(order);
    });
    if (symbol.working != kNil) check_age(orders[symbol.working]);
    each_open(symbol, [this](const Order& order) { set_timer(order); });
  }
}

Engine::Engine(EngineConfig config) {
  validate(config);
  state_ = std::make_unique<State>(std::move(config));
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

void Engine::step(const Input& input, Outputs& outputs) {
  outputs.clear();
  state_->out = &outputs;
  state_->step(input);
  state_->out = nullptr;
}

void Engine::reserve(Outputs& outputs) const {
  const std::size_t symbols = state_->symbol_count;
  outputs.requests.reserve(4 * symbols + 16);
  outputs.records.reserve(symbols * (4 * state_->strategy_count + 8) + 64);
}

const EngineConfig& Engine::config() const { return state_->given; }
bool Engine::link_up() const { return state_->link_up; }
bool Engine::ready() const { return state_->ready && state_->link_up; }
bool Engine::fenced() const { return state_->fenced; }
bool Engine::kill_switch() const { return state_->kill.latched; }
Time Engine::now() const { return state_->now; }
std::uint64_t Engine::last_stream_id() const { return state_->stream_id; }
RiskRecord Engine::risk() const {
  RiskRecord record = state_->risk_record();
  state_->measure(record);
  return record;
}
AccountRecord Engine::account() const { return state_->account_record(); }
const EngineCounts& Engine::counts() const { return state_->counts; }

std::size_t Engine::State::pending_requests() const {
  std::size_t count = reconcile.request != 0 ? 1 : 0;
  for (const SymbolState& symbol : symbols) {
    each_open(symbol, [&count](const Order& order) {
      count += (order.submit_request != 0 ? 1u : 0u) + (order.cancel_request != 0 ? 1u : 0u) +
               (order.lookup_request != 0 ? 1u : 0u);
    });
  }
  return count;
}

std::size_t Engine::pending_requests() const { return state_->pending_requests(); }

std::size_t Engine::working_orders() const {
  std::size_t count = 0;
  for (const SymbolState& symbol : state_->symbols)
    std::as_const(*state_).each_open(symbol, [&count](const Order&) { ++count; });
  return count;
}

std::int64_t Engine::next_offset(std::uint8_t topic) const {
  return topic < state_->next_offset.size() ? state_->next_offset[topic] : 0;
}

void Engine::positions(std::vector<PositionRecord>& out) const {
  const State& s = *state_;
  const auto add = [&](const Book& book, const StrategyId& strategy, std::size_t symbol) {
    if (book.position == 0 && book.realized == 0) return;
    out.push_back({s.config.symbols[symbol].symbol, strategy, Quantity{book.position}, Money{book.average_price()},
                   Money{book.realized}, s.symbols[symbol].price, s.now});
  };
  out.clear();
  for (std::size_t i = 0; i < s.symbol_count; ++i) add(s.symbols[i].book, StrategyId{}, i);
  for (std::size_t k = 0; k < s.strategy_count; ++k) {
    for (std::size_t i = 0; i < s.symbol_count; ++i) add(s.sub(k, i).book, s.config.strategies[k].uid, i);
  }
}

void Engine::open_orders(std::vector<OrderRecord>& out) const {
  out.clear();
  std::vector<const Order*> open;
  for (const SymbolState& symbol : state_->symbols) {
    std::as_const(*state_).each_open(symbol, [&open](const Order& order) { open.push_back(&order); });
  }
  std::sort(open.begin(), open.end(), [](const Order* a, const Order* b) { return a->number < b->number; });
  for (const Order* order : open) out.push_back(state_->order_record(*order));
}

}  // namespace tradewind
