// Core: what the engine says about each step: records for the bus and the audit, and requests for the broker.
#pragma once

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "tradewind/engine/breaker.hpp"
#include "tradewind/engine/codes.hpp"
#include "tradewind/engine/config.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

// Exactly one with slice 0 per intent. A later one (slice > 0) says that a further slice of an accepted intent was
// refused.
struct IntentVerdict {
  IntentId intent;
  StrategyId strategy;
  Symbol symbol;
  bool accepted = false;
  RejectCode code = RejectCode::kOk;
  ShortText message;    // the limit, the value, and what would have passed
  ClientOrderId order;  // empty: refused, or accepted and no order is needed
  std::uint32_t slice = 0;
  Time decision_time = 0;
  Time time = 0;
  std::int64_t generation = 0;  // of the policy whose limits decided
};

// What to do about an order that the broker rejected.
enum class RejectionCategory : std::uint8_t {
  kNone = 0,
  kTransient = 1,   // goes away by itself: tried again, each time after twice as long
  kPersistent = 2,  // the same order would be rejected again: its intents are done
  kManual = 3,      // a person must act: credentials, permissions, a symbol that is not there
};

// Each change of each order.
struct OrderRecord {
  ClientOrderId client_order_id;
  BrokerOrderId broker_order_id;
  Symbol symbol;
  Side side = Side::kNone;
  OrderType order_type = OrderType::kNone;
  TimeInForce time_in_force = TimeInForce::kNone;
  Quantity quantity;
  Money limit_price;
  OrderState state = OrderState::kNone;
  Quantity filled;
  Money filled_notional;
  bool reduce_only = false;
  RejectCode code = RejectCode::kOk;
  ShortText text;
  std::array<IntentId, kMaxStrategies> intents;  // those netted into it; none for an order of the kill switch
  std::uint8_t intent_count = 0;
  Time time = 0;
  ClientOrderId replaces;  // the order that made way for this one; empty: none
  OrderTerms terms;
  ExitReason exit = ExitReason::kNone;
  RejectionCategory category = RejectionCategory::kNone;  // of a rejected order
};

// One strategy's part of an execution. The sum over strategies of those that are not internal is the execution.
struct FillRecord {
  ExecutionId execution_id;  // made from the client order id when the broker's answer carried none
  ClientOrderId client_order_id;
  BrokerOrderId broker_order_id;
  Symbol symbol;
  StrategyId strategy;
  Side side = Side::kNone;
  Quantity quantity;  // positive
  Money price;
  Money fee;
  bool internal = false;  // crossed between two strategies: never reached the broker
  Time time = 0;
};

struct PositionRecord {
  Symbol symbol;
  StrategyId strategy;  // empty: the whole account
  Quantity quantity;
  Money average_price;
  Money realized_pnl;
  Money market_price;
  Time time = 0;
};

struct AccountRecord {
  Money cash;
  Money equity;
  Money buying_power;
  Time time = 0;
};

struct RiskRecord {
  bool kill_switch = false;
  bool paused = false;
  bool ready = false;  // the link is up and reconciled
  ShortText kill_reason;
  Money equity;
  Money day_high_equity;
  Money peak_equity;
  Money gross_exposure;
  Money net_exposure;
  std::int64_t drawdown = 0;     // ppm of the peak
  std::int64_t size_factor = 0;  // ppm; drawdown ladder times volatility
  std::int64_t trades_today = 0;
  std::int64_t consecutive_losses = 0;
  Time time = 0;
  std::int64_t value_at_risk = 0;  // ppm of equity: 95 %, one day, what works filling in the worst way
  std::int64_t volatility = 0;     // annual, ppm of equity, likewise
  Time estimate_time = 0;          // of the slow loop's latest set; 0 = none
  // What the account depends on, each behind a breaker.
  BreakerState broker_rest = BreakerState::kClosed;
  BreakerState broker_stream = BreakerState::kClosed;
  BreakerState market_data = BreakerState::kClosed;
  BreakerState estimates = BreakerState::kClosed;
};

enum class KillPhase : std::uint8_t {
  kReleased = 0,
  kLatched = 1,         // refuse everything, cancel what works
  kFlattening = 2,      // cancels are confirmed; closing orders are out
  kFlattenPending = 3,  // the link is down or the broker refuses: retried
  kFlat = 4,            // the broker confirms that nothing is held
};

struct KillRecord {
  KillPhase phase = KillPhase::kReleased;
  ShortText reason;
  ShortText issued_by;
  Time time = 0;
};

enum class Severity : std::uint8_t { kInfo = 0, kWarning = 1, kCritical = 2 };

struct Alert {
  Severity severity = Severity::kInfo;
  Symbol symbol;  // empty: the account
  ShortText text;
  Time time = 0;
};

using Record =
    std::variant<IntentVerdict, OrderRecord, FillRecord, PositionRecord, AccountRecord, RiskRecord, KillRecord, Alert>;

// The sink of one step. Engine::reserve sizes it once; step() clears it first.
struct Outputs {
  std::vector<BrokerRequest> requests;
  std::vector<Record> records;

  void clear() {
    requests.clear();
    records.clear();
  }
};

}  // namespace tradewind
