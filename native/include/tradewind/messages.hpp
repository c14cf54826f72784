// Core: what goes into the engine and what comes out of it. Plain values; no I/O, no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "tradewind/algorithms/plan.hpp"
#include "tradewind/fixed.hpp"

namespace tradewind {

using Symbol = FixedString<16>;
using StrategyId = FixedString<48>;
using IntentId = FixedString<40>;
using ClientOrderId = FixedString<48>;
using BrokerOrderId = FixedString<40>;
using ExecutionId = FixedString<64>;
using ShortText = FixedString<200>;

enum class Side : std::uint8_t { kNone = 0, kBuy = 1, kSell = 2 };
enum class OrderType : std::uint8_t {
  kNone = 0,
  kMarket = 1,
  kLimit = 2,
  kStop = 3,
  kStopLimit = 4,
  kTrailingStop = 5,
};
enum class TimeInForce : std::uint8_t { kNone = 0, kDay = 1, kGtc = 2, kIoc = 3, kFok = 4, kOpg = 5, kCls = 6 };

// Numbers equal tradewind.v1.OrderState.
enum class OrderState : std::uint8_t {
  kNone = 0,
  kCreated = 1,
  kSubmitted = 2,
  kUnknown = 3,
  kAccepted = 4,
  kPartiallyFilled = 5,
  kFilled = 6,
  kPendingCancel = 7,
  kCanceled = 8,
  kPendingReplace = 9,
  kReplaced = 10,
  kExpired = 11,
  kRejected = 12,
};

// What an order says beyond its type, life and limit price.
struct OrderTerms {
  Money stop_price;              // kStop, kStopLimit
  Money trail_price;             // kTrailingStop: this far from the best price since it was sent, or
  std::int64_t trail_ratio = 0;  // ... this share of it, ppm
  bool extended_hours = false;
  bool operator==(const OrderTerms&) const = default;
};

// Why an order closes a position, or a part of one, that no intent asked to close.
enum class ExitReason : std::uint8_t { kNone = 0, kStopLoss = 1, kTakeProfit = 2, kLimitBreach = 3, kDeleted = 4 };

// ---- inputs -------------------------------------------------------------------------------------------------------

struct BarUpdate {
  Symbol symbol;
  Time event_time = 0;  // close of the bar
  Money open, high, low, close;
  std::int64_t volume = 0;
  bool context = false;               // an index: a price for nothing that can be traded
  std::int64_t volatility_index = 0;  // context only: annualised, in points (25 = 25 %) at 1e-8; 0 = not given
};

struct Intent {
  IntentId id;
  StrategyId strategy;
  Symbol symbol;
  Quantity target;  // signed, of the strategy's sub-book
  Time decision_time = 0;
  Time valid_until = 0;
  OrderType order_type = OrderType::kMarket;
  TimeInForce time_in_force = TimeInForce::kDay;
  Money limit_price;      // kLimit, kStopLimit
  Money reference_price;  // price the decision was made at
  bool champion = false;  // model_alias == "champion"
  bool gates_passed = false;
  FixedString<64> model;
  FixedString<24> model_version;
  OrderTerms terms;
  Money target_notional;         // signed; not 0: the target is what this buys at the last price, and `target` is 0
  Money stop_loss, take_profit;  // of the position that the target makes; 0 = none
  ExecutionPlan plan;            // how the order is spread over time
};

// The broker's order as an answer (REST) or a stream message shows it. Cumulative figures: books move by their
// increase.
struct BrokerOrder {
  ClientOrderId client_order_id;
  BrokerOrderId broker_order_id;
  Symbol symbol;
  Side side = Side::kNone;
  OrderState state = OrderState::kNone;
  Quantity quantity;
  Quantity filled;         // cumulative
  Money filled_avg_price;  // 0 when nothing is filled
  Money limit_price;
  bool live = false;  // its status is "new" or "partially_filled": the broker takes a replace
};

enum class BrokerEventKind : std::uint8_t {
  kNone = 0,
  kSubmitAccepted,  // REST answer to a submit or replace: order (of a replace, the new one) holds the broker's view
  kSubmitRejected,  // REST answer: code and text say why. Never sent again.
  kSubmitUnknown,   // the answer was lost (time-out, 5xx, disconnect): look it up before anything else
  kDuplicate,       // 422/409 "client_order_id must be unique": it was already sent
  kCancelAccepted,  // 204: requested, not confirmed
  kCancelRejected,  // 404/422
  kCancelUnknown,
  kLookupFound,    // answer to a look-up by client_order_id
  kLookupMissing,  // 404: the broker never got it
  kLookupFailed,
  kTradeUpdate,    // trade_updates frame: order, and for fills the execution
  kLinkUp,         // the stream is listening: reconcile now
  kLinkDown,       // the stream is gone: orders are blocked until it is back
  kPosition,       // one row of GET /v2/positions
  kAccount,        // GET /v2/account
  kSnapshotOrder,  // one row of GET /v2/orders?status=all during reconciliation
  kSnapshotEnd,    // account, positions and orders of the reconciliation have all been given
  kSnapshotFailed,
};

struct BrokerEvent {
  BrokerEventKind kind = BrokerEventKind::kNone;
  std::uint64_t request_id = 0;  // of the BrokerRequest that is answered; 0 for stream messages
  BrokerOrder order;
  // kTradeUpdate of a fill: this execution.
  ExecutionId execution_id;
  Quantity execution_quantity;
  Money execution_price;
  Time broker_time = 0;
  std::uint64_t stream_id = 0;  // the simulated venue's event id; 0 when the broker gives none
  // kPosition
  Quantity position;
  Money average_price;
  // kAccount
  Money cash, equity, buying_power;
  // rejections
  std::int32_t http_status = 0;
  std::int32_t code = 0;  // the broker's own code, e.g. 40310000
  ShortText text;
};

// BrokerEvent::code of an order that was held back because the process's lease had ended. No broker's own.
inline constexpr std::int32_t kCodeLeaseLost = -1;

enum class ControlKind : std::uint8_t {
  kNone = 0,
  kHalt,
  kResume,
  kPause,
  kFlush,      // end of a batch of intents: net per symbol and send
  kShutdown,   // cancel nothing, send nothing more
  kStarted,    // a process took the account up: for the record, changes nothing
  kStopped,    // ... and laid it down
  kLeaseLost,  // the process may not be the account's one writer any more: no order leaves, cancels do
  kLeaseHeld,  // it is again: reconcile first
};

struct Control {
  ControlKind kind = ControlKind::kNone;
  ShortText issued_by;
  ShortText reason;
  bool flatten = false;
};

// What somebody or something did to the engine, as against the end of a batch of intents.
[[nodiscard]] constexpr bool is_command(const Control& control) { return control.kind != ControlKind::kFlush; }

inline constexpr std::size_t kScenarios = 64;

// What the slow loop says of one symbol. The rows of one set carry the same time and count: entry t of each is the same
// day. The engine takes a set over with its last row; a symbol without a row in it has no estimate.
struct RiskEstimate {
  Symbol symbol;
  Time time = 0;  // until when the returns reach
  Symbol group;   // first symbol of its correlated group; empty: in none
  bool first = false, last = false;
  std::uint8_t count = 0;
  std::array<std::int32_t, kScenarios> returns{};  // simple daily returns at 2^-20, oldest first
};

// A session of the exchange's calendar: what the engine knows of the time from its open to the next one's.
struct SessionUpdate {
  Time open = 0, close = 0, next_open = 0;
};

struct TimeUpdate {};  // the Input's time is the news

// Everything that can change the engine's state arrives as one of these, in one order, with the time it arrived.
struct Input {
  Time now = 0;              // virtual in a lockstep run, wall clock otherwise
  std::uint8_t topic = 0;    // 0 none, 1 bars, 2 intents, 3 control: where `offset` counts
  std::int64_t offset = -1;  // offset on the bus, -1 when it did not come from there
  std::variant<TimeUpdate, BarUpdate, Intent, BrokerEvent, Control, RiskEstimate, SessionUpdate> body;
};

// ---- outputs ------------------------------------------------------------------------------------------------------

// kReplace is the broker's PATCH: `broker_order_id` makes way for a new order, which the other fields describe. Its
// answers are those of a submit, under the new order's client_order_id.
enum class RequestKind : std::uint8_t { kNone = 0, kSubmit, kCancel, kLookup, kSnapshot, kReplace };

struct BrokerRequest {
  RequestKind kind = RequestKind::kNone;
  std::uint64_t request_id = 0;
  ClientOrderId client_order_id;
  BrokerOrderId broker_order_id;  // kCancel, kReplace: the order that is asked to end
  Symbol symbol;
  Side side = Side::kNone;
  OrderType order_type = OrderType::kNone;
  TimeInForce time_in_force = TimeInForce::kNone;
  Quantity quantity;
  Money limit_price;
  OrderTerms terms;
};

}  // namespace tradewind
