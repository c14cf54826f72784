// Core: what an engine is built from: the account, its symbols, its strategies and its limits.
#pragma once

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tradewind/messages.hpp"

namespace tradewind {

inline constexpr std::size_t kMaxStrategies = 16;  // per account: an order record names the intent of each

// One clear line: the key and the fix.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Sector = FixedString<24>;

// Ratios are in parts per million, so that no comparison is made in floating point.
inline constexpr std::int64_t kRatioScale = 1'000'000;
inline constexpr std::int64_t kAbsent = -1;  // no value: every order is refused with LIMIT_ABSENT
inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();  // switched off on purpose

struct SymbolConfig {
  Symbol symbol;
  Sector sector;  // empty: in no sector
  bool tradable = true;
  bool shortable = true;
  bool restricted = false;
  std::int64_t max_sector = kNoLimit;          // own cap of its sector, ppm of equity, in place of the general one
  Money price_increment{1'000'000};            // a cent
  Quantity quantity_increment{1'000'000'000};  // a share
};

// A strategy that is being deleted: it decides nothing more, and what it has left is dealt with.
enum class Leaving : std::uint8_t {
  kNo = 0,
  kKeep,     // what it has decided goes on: orders work, positions stay
  kCancel,   // its orders are cancelled, its positions stay
  kFlatten,  // ... and its positions are closed at the market
};

struct StrategyConfig {
  StrategyId uid;
  Money capital_budget{kNoLimit};            // gross exposure of the sub-book at most this
  std::int64_t capital_share = kRatioScale;  // ... and at most this share of equity, ppm
  std::int64_t order_ttl = kAbsent;    // an order older than this is cancelled, ns; 0 = never, absent = the engine's
  std::int64_t accept_fill = 800'000;  // filled to this share when its time is up, an order counts as done, ppm
  bool rests_overnight = false;        // decides on daily bars: its orders may wait for the next open
  Leaving leaving = Leaving::kNo;
};

// JSON names stand beside each; all are required there, null switches one off.
struct RiskLimits {
  std::int64_t max_order_notional = kAbsent;      // max_order_notional: Money raw
  std::int64_t price_collar = kAbsent;            // price_collar_pct: ppm of the last price
  std::int64_t max_price_age = kAbsent;           // max_price_age_ns
  std::int64_t max_orders_per_minute = kAbsent;   // max_orders_per_minute
  std::int64_t max_trades_per_day = kAbsent;      // max_trades_per_day: orders sent since the day began
  std::int64_t max_position = kAbsent;            // max_position_pct: of equity, per symbol
  std::int64_t max_positions = kAbsent;           // max_positions
  std::int64_t max_gross = kAbsent;               // max_gross_exposure_pct
  std::int64_t max_net = kAbsent;                 // max_net_exposure_pct
  std::int64_t max_short_of_gross = kAbsent;      // max_short_share_pct: of the allowed gross exposure
  std::int64_t max_sector = kAbsent;              // max_sector_exposure_pct
  std::int64_t daily_loss = kAbsent;              // daily_loss_pct: from the day's highest equity
  std::int64_t weekly_loss = kAbsent;             // weekly_loss_pct: from the week's first equity
  std::int64_t monthly_loss = kAbsent;            // monthly_loss_pct: from the month's first equity
  std::int64_t drawdown_reduce = kAbsent;         // drawdown_reduce_pct: size times drawdown_reduce_factor
  std::int64_t drawdown_reduce_factor = kAbsent;  // drawdown_reduce_factor
  std::int64_t drawdown_halve = kAbsent;          // drawdown_halve_pct: size times drawdown_halve_factor
  std::int64_t drawdown_halve_factor = kAbsent;   // drawdown_halve_factor
  std::int64_t drawdown_stop = kAbsent;           // drawdown_stop_pct: kill switch and flatten
  std::int64_t max_consecutive_losses = kAbsent;  // max_consecutive_losses
  std::int64_t volatility_reduce = kAbsent;       // volatility_reduce_at: index points at 1e-8
  std::int64_t volatility_factor = kAbsent;       // volatility_reduce_factor
  std::int64_t volatility_halt = kAbsent;         // volatility_halt_at: index points at 1e-8
  std::int64_t market_order_buffer = kAbsent;     // market_order_buffer_pct: price reserve of a market order
  std::int64_t max_position_notional = kAbsent;   // max_position_notional: Money raw, per symbol
  std::int64_t max_turnover = kAbsent;            // max_turnover_pct: traded since the day began, of equity
  std::int64_t trade_risk = kAbsent;              // trade_risk_pct: at risk in one position, of equity
  std::int64_t trade_risk_hard = kAbsent;         // trade_risk_hard_pct: at risk and lost already in one position
  std::int64_t adverse_move = kAbsent;            // adverse_move_sigmas: what a position without a stop may lose
  std::int64_t assumed_volatility = kAbsent;      // assumed_volatility: of a symbol without an estimate; off = refuse
  std::int64_t max_estimate_age = kAbsent;        // max_estimate_age_ns
  std::int64_t max_group = kAbsent;               // max_group_exposure_pct: per group of correlated symbols
  std::int64_t max_value_at_risk = kAbsent;       // max_value_at_risk_pct: 95 %, one day, of equity
  std::int64_t max_volatility = kAbsent;          // max_volatility_pct: of the account, annual
  std::int64_t skip_first = kAbsent;              // session_skip_first_ns: no orders this long after the open
  std::int64_t skip_last = kAbsent;               // session_skip_last_ns: ... and before the close
  std::int64_t reentry_step = kAbsent;            // reentry_step: of the ladder's cut, back per profitable day
  std::int64_t rapid_decline = kAbsent;           // rapid_decline_pct: lost within five minutes: kill switch
  std::int64_t feed_lost_after = kAbsent;         // feed_lost_after_ns: no bar in a session for so long: kill switch
  std::int64_t broker_lost_after = kAbsent;       // broker_lost_after_ns: stream down for so long: kill switch
  std::int64_t cut_tolerance = kAbsent;           // cut_tolerance_pct: of a limit; prices further past it cut positions
  std::int64_t gap_move = kAbsent;                // gap_move_sigmas: a stop counts as no nearer than this
  std::int64_t extended_before = kAbsent;         // extended_before_ns: extended hours begin so long before the open
  std::int64_t extended_after = kAbsent;     // extended_after_ns: ... and end after the close; both 0 = not allowed
  std::int64_t breaker_failures = kAbsent;   // breaker_failures: failed requests in a row that stop new risk
  std::int64_t breaker_pause = kAbsent;      // breaker_pause_ns: from then to the first trial
  std::int64_t feed_silent_after = kAbsent;  // feed_silent_after_ns: no bar in a session for so long: no new risk
  bool allow_short = false;                  // allow_short
  bool volatility_required = false;          // volatility_required: no index = no entries
  bool kill_on_daily_loss = false;           // kill_on_daily_loss: the daily limit also trips the kill switch
  bool kill_flattens = true;                 // kill_flattens: so does a trip for a lost feed or broker

  [[nodiscard]] bool complete() const;  // no limit is absent
};

// One limit for a while. It begins with the configuration that holds it and ends by itself.
struct LimitOverride {
  FixedString<32> limit;  // JSON name
  std::int64_t value = 0;
  Time until = 0;
  FixedString<48> issued_by;
  FixedString<96> reason;
};

enum class Mode : std::uint8_t { kPaper = 0, kLive = 1 };

struct EngineConfig {
  std::string account;
  Mode mode = Mode::kPaper;
  std::vector<SymbolConfig> symbols;       // sorted and unique after parse
  std::vector<StrategyConfig> strategies;  // sorted and unique after parse
  RiskLimits limits;
  std::vector<LimitOverride> overrides;                  // at most kMaxOverrides
  std::int64_t generation = 0;                           // of the policy that this is made from
  std::int64_t day_offset = 5LL * 3600 * 1'000'000'000;  // a trading day begins at 00:00 UTC plus this
  std::int64_t order_ttl = 0;                            // a working order older than this is cancelled; 0 = never
  std::int64_t stuck_after =
      30'000'000'000;  // no news of an order in transition for so long: ask, then alert; 0 = never
  std::int64_t retry_after = 1'000'000'000;  // between two tries of a look-up, snapshot or flatten, ns
  Money cash_tolerance{1'000'000};           // smaller differences to the broker's cash are rounding
  std::uint32_t max_orders = 4096;           // kept in memory; the oldest finished one makes room
  std::uint32_t max_intents = 65536;         // remembered by id; the oldest expired one makes room
  std::int64_t reconcile_every = 0;          // compare with the broker this often, ns; 0 = after gaps only
};

// From JSON (see tradewind/native/engine.py for the keys). Unknown and missing keys are refused by name. Throws
// ConfigError.
[[nodiscard]] EngineConfig parse_engine_config(std::string_view json);

// The JSON names of all limits that may be null, in the order above.
[[nodiscard]] std::vector<std::string> limit_names();

inline constexpr std::size_t kMaxOverrides = 32;

// The limits as they stand at `now`: those of `config` with the overrides that have not ended.
[[nodiscard]] RiskLimits limits_at(const EngineConfig& config, Time now);

// Throws ConfigError when the parts do not fit together; sorts symbols and strategies.
void validate(EngineConfig& config);

// The canonical JSON of a configuration: parse(canonical(c)) == c. Its SHA-256 is the journal's configuration hash.
[[nodiscard]] std::string canonical_json(const EngineConfig& config);

}  // namespace tradewind
