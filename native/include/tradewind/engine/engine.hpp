// Core: the order path as one deterministic state machine. Same configuration and inputs, same outputs: no clock, no
// I/O, no allocation after construction. The executor feeds it from sockets, the backtest from arrays.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tradewind/engine/config.hpp"
#include "tradewind/engine/lifecycle.hpp"
#include "tradewind/engine/records.hpp"
#include "tradewind/engine/risk_gate.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

struct EngineCounts {
  std::uint64_t inputs = 0;
  std::uint64_t intents = 0;  // distinct ids
  std::uint64_t accepted = 0;
  std::uint64_t rejected = 0;
  std::uint64_t orders = 0;
  std::uint64_t fills = 0;                                   // fill records
  std::array<std::uint64_t, kRejectCodeCount> rejections{};  // by code, every verdict and every refused slice
  // Of orders, by state and event; those that cannot happen are counted, too.
  std::array<std::array<std::uint64_t, kOrderEventCount>, kOrderStateCount> transitions{};
};

// What a strategy that is being deleted has left.
struct Remains {
  StrategyId strategy;
  std::uint32_t orders = 0;              // symbols in which an order works for it, or is still to be sent
  std::uint32_t positions = 0;           // symbols that it holds
  RejectCode refused = RejectCode::kOk;  // why its positions can't be closed now
};

// What became of a strategy's decisions for as long as it is configured.
struct StrategyRecord {
  StrategyId strategy;
  std::uint64_t intents = 0;                                 // decided
  std::uint64_t trades = 0;                                  // orders of which it got a fill
  std::array<std::uint64_t, kRejectCodeCount> rejections{};  // of intents, of slices, and by the broker for good
};

class Engine {
 public:
  explicit Engine(EngineConfig config);  // throws ConfigError
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Clears `outputs`, then writes what this input leads to. Requests are in the order in which they must be sent.
  // Intents only set targets. Control{kFlush} nets and sends, a TimeUpdate does the same for what has waited: the
  // second slice of an order across zero, time-outs, retries. Symbols whose orders were cancelled to be netted anew
  // follow by themselves once every request is answered. `now` never goes back: with virtual time every input must
  // carry it, broker events included.
  void step(const Input& input, Outputs& outputs);

  // Room for everything one step can say, so that steps do not allocate.
  void reserve(Outputs& outputs) const;

  // Takes a new configuration at a step boundary; books, orders and intents are carried over by name.
  // Throws ConfigError (and changes nothing) when a strategy or symbol that is still held or working would vanish.
  void reconfigure(EngineConfig config);

  [[nodiscard]] const EngineConfig& config() const;
  [[nodiscard]] bool link_up() const;
  [[nodiscard]] bool ready() const;  // link up, reconciled: intents can be accepted
  [[nodiscard]] bool kill_switch() const;
  [[nodiscard]] bool fenced() const;                   // the latest word on the lease was that it is lost
  [[nodiscard]] std::size_t pending_requests() const;  // sent and not answered; 0 = the broker link is idle
  [[nodiscard]] std::size_t working_orders() const;    // not terminal
  [[nodiscard]] std::int64_t next_offset(std::uint8_t topic) const;  // first offset not seen yet; 0 before any
  [[nodiscard]] std::uint64_t last_stream_id() const;                // highest BrokerEvent::stream_id seen
  [[nodiscard]] Time now() const;                                    // of the latest input
  [[nodiscard]] RiskRecord risk() const;
  [[nodiscard]] AccountRecord account() const;
  // Every (strategy, symbol) and account position that is or was held; sorted by strategy (account first), then symbol.
  void positions(std::vector<PositionRecord>& out) const;
  // One for each strategy that is being deleted.
  void remains(std::vector<Remains>& out) const;
  // One for each strategy, as configured.
  void strategy_records(std::vector<StrategyRecord>& out) const;
  // What the gate would say to an order now (quantity signed: + buys). Nothing is sent, and nothing is noted.
  [[nodiscard]] Denial check_order(const Symbol& symbol, Quantity quantity, OrderType type, Money limit_price) const;
  // The latest record of every order still in memory that is not terminal, by creation.
  void open_orders(std::vector<OrderRecord>& out) const;
  [[nodiscard]] const EngineCounts& counts() const;

  // SHA-256, hex, over every decision so far: no wall times, no broker ids.
  [[nodiscard]] std::string decision_hash() const;
  // SHA-256, hex, over books, targets, orders and cash: equal states have equal hashes.
  [[nodiscard]] std::string state_hash() const;
  // Empty when all invariants hold, else the first that does not.
  [[nodiscard]] std::string check_invariants() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace tradewind
