// Core: the risk gate: an ordered list of small named checks, each a pure function of a request and a snapshot.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tradewind/engine/breaker.hpp"
#include "tradewind/engine/codes.hpp"
#include "tradewind/engine/config.hpp"
#include "tradewind/engine/scenarios.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

// Why the engine wants to send an order. Only the engine sets it; nothing that comes in can.
enum class Origin : std::uint8_t {
  kIntent = 0,
  kResend = 1,      // the broker never got it; counted already
  kKillSwitch = 2,  // closing what is held, after the latch
  kReplace = 3,     // a working order with another price or quantity; its day's trade is counted already
};

enum class Unit : std::uint8_t { kNone, kMoney, kRatio, kCount, kNanoseconds, kQuantity, kPoints, kTime };

struct Denial {
  RejectCode code = RejectCode::kOk;
  Unit unit = Unit::kNone;
  std::int64_t value = 0;
  std::int64_t limit = 0;
  std::int64_t passes = 0;  // the most (for ages and losses: the value) that would have passed, in the same unit

  [[nodiscard]] bool denied() const { return code != RejectCode::kOk; }
  // "value 7.2 %, limit 5 %; at most 5 % would have passed"
  [[nodiscard]] ShortText message() const;
};

struct RiskRequest {
  Origin origin = Origin::kIntent;
  bool reduce_only = false;  // computed by the engine
  Quantity quantity;         // signed: + buys
  OrderType order_type = OrderType::kMarket;
  TimeInForce time_in_force = TimeInForce::kDay;
  Money limit_price;
  OrderTerms terms;
  // Of the intent, at the stage where one strategy is looked at; an order nets several.
  Time valid_until = 0;
  bool champion = false;
  bool gates_passed = false;
  std::int64_t strategy_gross = 0;  // of the strategy were the target reached, 1e-8
  std::int64_t strategy_gross_now = 0;
  Money capital_budget;
  std::int64_t capital_share = 0;
  bool rests_overnight = false;  // of the strategy; of an order: of all strategies behind it
  // Of an order: how much of the position after it a stop-loss protects, and what that part loses at its stops, 1e-8.
  std::int64_t stopped = 0;
  Int128 stop_risk = 0;
};

// The state that the checks see. Exposures count what works at the broker as if it filled in the worst way.
struct RiskSnapshot {
  Time now = 0;
  SessionUpdate session;  // all 0: none known
  const RiskLimits* limits = nullptr;
  const SymbolConfig* symbol = nullptr;
  Mode mode = Mode::kPaper;
  bool kill_switch = false;
  bool paused = false;
  bool shutdown = false;
  bool fenced = false;  // the lease is lost
  bool link_up = false;
  BreakerState broker_rest = BreakerState::kClosed;
  BreakerState market_data = BreakerState::kClosed;
  bool reconciled = false;
  bool mismatch = false;
  Quantity broker_position;  // account, signed, as the broker last said
  bool account_known = false;
  bool overflow = false;
  Money equity;
  Money price;  // last price of the symbol; 0 = none
  Time price_time = 0;
  Quantity position;                             // account, signed
  Int128 gross = 0;                              // of all other symbols, 1e-8
  Int128 net_long = 0;                           // net of all other symbols if every pending buy fills and no sell
  Int128 net_short = 0;                          // ... if every pending sell fills and no buy
  Int128 shorts = 0;                             // short exposure of all other symbols, positive
  Int128 sector_gross = 0;                       // of all other symbols of its sector
  Int128 gross_own = 0;                          // of this symbol now
  std::int64_t positions = 0;                    // other symbols held or being opened
  std::int64_t leverage = 0;                     // ppm: (buying power + gross) / equity when the broker last said
  std::int64_t size_factor = kRatioScale;        // drawdown ladder times volatility, ppm
  std::int64_t volatility_factor = kRatioScale;  // ppm
  std::int64_t volatility_index = 0;             // points at 1e-8; 0 = none
  Money day_high, week_start, month_start, peak;
  std::int64_t trades_today = 0;
  Int128 turnover_today = 0;  // filled since the day began and working now, 1e-8
  // By the slow loop's estimates.
  const Estimate* estimate = nullptr;    // of the symbol
  const Scenarios* scenarios = nullptr;  // of the account
  std::int64_t assumed_move = 0;         // of a symbol without an estimate, 2^-20
  bool in_group = false;
  Int128 group_gross = 0;  // of all other symbols of its correlated group
  Money open_loss;         // of the symbol; negative: a gain
  bool loss_pause = false;
  std::int64_t consecutive_losses = 0;
  Time rate_arrival = 0;  // theoretical arrival time of the order-rate bucket
};

// Which requests a check applies to.
struct CheckScope {
  bool intent = false;       // looked at per intent, before netting
  bool order = false;        // looked at per submit
  bool reduce_only = true;   // also for orders that only reduce
  bool kill_switch = false;  // also for orders of the kill switch
};

using CheckFunction = Denial (*)(const RiskRequest&, const RiskSnapshot&);

struct RiskCheck {
  std::string_view name;
  CheckFunction check;
  CheckScope scope;
};

enum class Stage : std::uint8_t { kIntent, kOrder };

// In the order in which they are asked.
[[nodiscard]] std::span<const RiskCheck> risk_checks();

// The first denial, or none.
[[nodiscard]] Denial check_risk(Stage stage, const RiskRequest& request, const RiskSnapshot& snapshot);

// When the order-rate bucket is next free once an order leaves at `now`.
[[nodiscard]] Time rate_after_send(Time arrival, Time now, std::int64_t per_minute);

}  // namespace tradewind
