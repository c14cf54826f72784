// Shell: see risk_gate_timing.hpp.
#include "tradewind/runtime/risk_gate_timing.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "tradewind/engine/engine.hpp"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace tradewind {

namespace {

constexpr Time kNow = 1'700'000'000'000'000'000;
constexpr Money kPrice{100 * kMoneyScale};

// The time-stamp counter, ordered against the work around it; elsewhere the steady clock.
[[nodiscard]] std::uint64_t ticks() {
#if defined(__x86_64__)
  _mm_lfence();
  const std::uint64_t count = __rdtsc();
  _mm_lfence();
  return count;
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

[[nodiscard]] double ns_per_tick() {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t first = ticks();
  while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(50)) {
  }
  const std::uint64_t last = ticks();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / static_cast<double>(last - first);
}

[[nodiscard]] std::uint64_t ticks_of_nothing() {
  std::vector<std::uint64_t> pairs(10'001);
  for (std::uint64_t& pair : pairs) {
    const std::uint64_t begin = ticks();
    pair = ticks() - begin;
  }
  std::nth_element(pairs.begin(), pairs.begin() + 5'000, pairs.end());
  return pairs[5'000];
}

// An account of a thousand million that is connected, reconciled and in the middle of a session, and holds nothing yet.
class Account {
 public:
  explicit Account(const EngineConfig& config) : engine_(config) {
    engine_.reserve(outputs_);
    step(SessionUpdate{kNow - kHour, kNow + kHour, kNow + 24 * kHour});
    BarUpdate index;
    index.symbol = Symbol("INDEX");
    index.event_time = kNow;
    index.context = true;
    index.volatility_index = 15 * kMoneyScale;
    step(index);
    answer(step(event(BrokerEventKind::kLinkUp)));
    for (const SymbolConfig& symbol : config.symbols) step(bar_of(symbol.symbol));
    for (std::size_t i = 0; i < config.symbols.size(); ++i) step(row_of(config.symbols, i));
  }

  void open(std::size_t orders) {
    const EngineConfig& config = engine_.config();
    for (std::size_t i = 0; i < orders; ++i) {
      Intent intent;
      intent.id = IntentId("open-" + std::to_string(i));
      intent.strategy = config.strategies[0].uid;
      intent.symbol = config.symbols[i].symbol;
      intent.target = Quantity{(i % 2 == 0 ? 1 : -1) * kQuantityScale};
      intent.decision_time = kNow;
      intent.valid_until = kNow + kHour;
      step(intent);
    }
    Control flush;
    flush.kind = ControlKind::kFlush;
    answer(step(flush));
  }

  [[nodiscard]] const Engine& engine() const { return engine_; }

 private:
  static constexpr Time kHour = 3'600'000'000'000;

  static BrokerEvent event(BrokerEventKind kind) {
    BrokerEvent e;
    e.kind = kind;
    return e;
  }
  static BarUpdate bar_of(const Symbol& symbol) {
    BarUpdate bar;
    bar.symbol = symbol;
    bar.event_time = kNow;
    bar.open = bar.high = bar.low = bar.close = kPrice;
    return bar;
  }
  // 63 days of returns of up to 2 %, different for each symbol; groups of five.
  static RiskEstimate row_of(const std::vector<SymbolConfig>& symbols, std::size_t i) {
    RiskEstimate row;
    row.symbol = symbols[i].symbol;
    row.group = symbols[i / 5 * 5].symbol;
    row.time = kNow;
    row.first = i == 0;
    row.last = i + 1 == symbols.size();
    row.count = 63;
    for (std::size_t t = 0; t < row.count; ++t)
      row.returns[t] = static_cast<std::int32_t>((t * 7'919 + i * 104'729) % 40'001) - 20'000;
    return row;
  }

  template <class Body>
  std::vector<BrokerRequest> step(const Body& body) {
    Input input;
    input.now = kNow;
    input.body = body;
    engine_.step(input, outputs_);
    return outputs_.requests;
  }
  void answer(const std::vector<BrokerRequest>& requests) {
    for (const BrokerRequest& request : requests) {
      BrokerEvent e;
      e.request_id = request.request_id;
      if (request.kind == RequestKind::kSnapshot) {
        e.kind = BrokerEventKind::kAccount;
        e.cash = e.equity = Money{1'000'000'000 * kMoneyScale};
        e.buying_power = Money{2 * e.cash.raw};
        step(e);
        e.kind = BrokerEventKind::kSnapshotEnd;
      } else {
        e.kind = BrokerEventKind::kSubmitAccepted;
        e.order.client_order_id = request.client_order_id;
        e.order.broker_order_id = BrokerOrderId("b-" + std::to_string(request.request_id));
        e.order.state = OrderState::kAccepted;
        e.order.quantity = request.quantity;
      }
      step(e);
    }
  }

  Engine engine_;
  Outputs outputs_;
};

}  // namespace

void time_risk_gate(const EngineConfig& config, std::size_t open_orders, std::uint64_t checks, RiskGateTiming& timing) {
  if (config.symbols.size() < open_orders || config.symbols.empty())
    throw ConfigError("engine.symbols: name one for each open order");
  if (!config.limits.complete()) throw ConfigError("engine.limits: a limit is absent");
  Account account(config);
  account.open(open_orders);
  const Engine& engine = account.engine();
  timing.working = engine.working_orders();
  const double scale = ns_per_tick();
  const std::uint64_t nothing = ticks_of_nothing();
  timing.clock_ns = static_cast<double>(nothing) * scale;
  for (std::uint64_t n = 0; n < checks; ++n) {
    const Symbol& symbol = config.symbols[n * 7 % config.symbols.size()].symbol;
    const Quantity quantity{(n % 2 == 0 ? 1 : -1) * (1 + static_cast<std::int64_t>(n % 4)) * kQuantityScale};
    const std::uint64_t begin = ticks();
    const bool denied = engine.check_order(symbol, quantity, OrderType::kLimit, kPrice).denied();
    const std::uint64_t end = ticks();
    timing.accepted += denied ? 0 : 1;
    const std::uint64_t spent = end - begin > nothing ? end - begin - nothing : 0;
    timing.check.record(std::llround(static_cast<double>(spent) * scale));
  }
}

}  // namespace tradewind
