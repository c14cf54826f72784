// Core: every reason for which the engine refuses something. One list; the enum, the names and the documentation come
// from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tradewind {

// X(enumerator, NAME on the wire, what it means). Append only: the numbers are in journals.
#define TRADEWIND_REJECT_CODES(X)                                                                                   \
  X(kOk, "OK", "not refused")                                                                                       \
  X(kKillSwitch, "KILL_SWITCH", "the kill switch is latched; a named person must release it")                       \
  X(kPaused, "PAUSED", "new entries are paused; exits pass")                                                        \
  X(kShutdown, "SHUTDOWN", "the engine is shutting down and sends nothing more")                                    \
  X(kLinkDown, "LINK_DOWN", "the broker's stream is down")                                                          \
  X(kNotReconciled, "NOT_RECONCILED", "the broker's account, positions and orders have not been compared yet")      \
  X(kPositionMismatch, "POSITION_MISMATCH", "the broker's position differs from the sum of the sub-books")          \
  X(kAccountAbsent, "ACCOUNT_ABSENT", "the broker has not reported the account, or its equity is not positive")     \
  X(kLimitAbsent, "LIMIT_ABSENT", "a risk limit has no value")                                                      \
  X(kUnknownStrategy, "UNKNOWN_STRATEGY", "the strategy is not bound to this account")                              \
  X(kUnknownSymbol, "UNKNOWN_SYMBOL", "the symbol is not configured for this account")                              \
  X(kNotTradable, "NOT_TRADABLE", "the symbol is not tradable")                                                     \
  X(kRestricted, "RESTRICTED", "the symbol is on the restricted list")                                              \
  X(kPriceAbsent, "PRICE_ABSENT", "no price of the symbol has been seen")                                           \
  X(kPriceStale, "PRICE_STALE", "the last price of the symbol is too old")                                          \
  X(kLateIntent, "LATE_INTENT", "the intent's valid_until has passed")                                              \
  X(kIntentConflict, "INTENT_CONFLICT", "another intent with this id and other contents was seen before")           \
  X(kIntentInvalid, "INTENT_INVALID", "a field of the intent is missing or has no meaning")                         \
  X(kIntentSuperseded, "INTENT_SUPERSEDED", "a newer intent of the strategy and symbol came before this was sent")  \
  X(kIntentOutOfOrder, "INTENT_OUT_OF_ORDER", "a later decision of the strategy and symbol was seen before")        \
  X(kCapacity, "CAPACITY", "a preallocated table is full")                                                          \
  X(kModelNotChampion, "MODEL_NOT_CHAMPION", "a live account trades only a champion whose gates have passed")       \
  X(kQuantityIncrement, "QUANTITY_INCREMENT", "the quantity is not a multiple of the symbol's increment")           \
  X(kLimitPriceAbsent, "LIMIT_PRICE_ABSENT", "a limit order needs a positive limit price")                          \
  X(kLimitPriceIncrement, "LIMIT_PRICE_INCREMENT", "the limit price is not a multiple of the symbol's increment")   \
  X(kPriceCollar, "PRICE_COLLAR", "the limit price is too far from the last price")                                 \
  X(kMaxOrderNotional, "MAX_ORDER_NOTIONAL", "the order is larger than one order may be")                           \
  X(kOrderRate, "ORDER_RATE", "too many orders in the last minute")                                                 \
  X(kTradesPerDay, "TRADES_PER_DAY", "too many orders today")                                                       \
  X(kShortNotAllowed, "SHORT_NOT_ALLOWED", "the account or the symbol may not be sold short")                       \
  X(kBuyingPower, "BUYING_POWER", "the order needs more buying power than there is")                                \
  X(kMaxPosition, "MAX_POSITION", "the position would be too large a share of equity")                              \
  X(kMaxPositions, "MAX_POSITIONS", "too many symbols would be held")                                               \
  X(kMaxGross, "MAX_GROSS_EXPOSURE", "gross exposure would be too large a share of equity")                         \
  X(kMaxNet, "MAX_NET_EXPOSURE", "net exposure would be too large a share of equity")                               \
  X(kMaxShort, "MAX_SHORT_SHARE", "short exposure would be too large a share of the allowed gross exposure")        \
  X(kMaxSector, "MAX_SECTOR_EXPOSURE", "the sector's exposure would be too large a share of equity")                \
  X(kCapitalBudget, "CAPITAL_BUDGET", "the strategy's exposure would be larger than its capital")                   \
  X(kDailyLoss, "DAILY_LOSS", "equity is too far below the day's high")                                             \
  X(kWeeklyLoss, "WEEKLY_LOSS", "equity is too far below the start of the week")                                    \
  X(kMonthlyLoss, "MONTHLY_LOSS", "equity is too far below the start of the month")                                 \
  X(kDrawdown, "DRAWDOWN", "equity is too far below its highest value")                                             \
  X(kConsecutiveLosses, "CONSECUTIVE_LOSSES", "too many losing trades in a row; paused for the session")            \
  X(kVolatilityAbsent, "VOLATILITY_ABSENT", "the volatility index is required and has no value")                    \
  X(kVolatilityHalt, "VOLATILITY_HALT", "the volatility index is at its halt level")                                \
  X(kOverflow, "OVERFLOW", "an amount does not fit the fixed-point range")                                          \
  X(kBrokerRejected, "BROKER_REJECTED", "the broker refused the order")                                             \
  X(kNeverArrived, "NEVER_ARRIVED", "the broker never got the order and it was not sent again")                     \
  X(kOrderTimeout, "ORDER_TIMEOUT", "the order was cancelled after its time to live")                               \
  X(kMaxPositionNotional, "MAX_POSITION_NOTIONAL", "the position would be worth more than one position may be")     \
  X(kTurnover, "TURNOVER_PER_DAY", "too much would have been traded today")                                         \
  X(kEstimateAbsent, "ESTIMATE_ABSENT", "the symbol has no risk estimate, and none may be assumed")                 \
  X(kEstimateStale, "ESTIMATE_STALE", "the symbol's risk estimate is too old")                                      \
  X(kTradeRisk, "TRADE_RISK", "an adverse move would cost too large a share of equity")                             \
  X(kTradeRiskHard, "TRADE_RISK_HARD", "with what it lost already, the position risks too large a share of equity") \
  X(kMaxGroup, "MAX_GROUP_EXPOSURE", "the exposure of its correlated group would be too large a share of equity")   \
  X(kValueAtRisk, "VALUE_AT_RISK", "the account's value at risk would be too large a share of equity")              \
  X(kPortfolioVolatility, "PORTFOLIO_VOLATILITY", "the account's volatility would be too high")                     \
  X(kSessionUnknown, "SESSION_UNKNOWN", "the exchange's calendar does not cover this time")                         \
  X(kOutOfSession, "OUT_OF_SESSION", "orders may not be sent at this time of the exchange's day")                   \
  X(kOrderTerms, "ORDER_TERMS", "the broker takes no such order with this time in force, or in extended hours")     \
  X(kStopPrice, "STOP_PRICE", "a stop order needs a positive stop price in whole increments; others have none")     \
  X(kTrail, "TRAIL", "a trailing stop needs a distance or a share below 100 %, and not both; others have none")     \
  X(kFraction, "FRACTION", "a fraction of a share trades only for the day, not by a trailing stop, and not short")  \
  X(kBracket, "BRACKET", "a stop-loss or take-profit is on the wrong side, or there is nothing to protect")         \
  X(kLeaseLost, "LEASE_LOST", "this process has lost the account's lease; another may hold it")                     \
  X(kPlanTerms, "PLAN_TERMS", "an execution algorithm works no stops, trails, brackets or extended hours")          \
  X(kExtendedHours, "EXTENDED_HOURS", "the policy allows no orders for extended hours")                             \
  X(kBrokerFailing, "BROKER_FAILING", "the broker's REST answers fail; new risk waits for one that does not")       \
  X(kFeedSilent, "FEED_SILENT", "the market data feed is silent within a session; new risk waits for its bars")     \
  X(kStrategyLeaving, "STRATEGY_LEAVING", "the strategy is being deleted and decides nothing more")

enum class RejectCode : std::uint8_t {
#define TRADEWIND_ENUMERATOR(id, name, meaning) id,
  TRADEWIND_REJECT_CODES(TRADEWIND_ENUMERATOR)
#undef TRADEWIND_ENUMERATOR
};

struct RejectCodeInfo {
  RejectCode code;
  std::string_view name;
  std::string_view meaning;
};

inline constexpr std::array kRejectCodes = {
#define TRADEWIND_INFO(id, name, meaning) RejectCodeInfo{RejectCode::id, name, meaning},
    TRADEWIND_REJECT_CODES(TRADEWIND_INFO)
#undef TRADEWIND_INFO
};

inline constexpr std::size_t kRejectCodeCount = kRejectCodes.size();

[[nodiscard]] constexpr std::string_view to_string(RejectCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kRejectCodeCount ? kRejectCodes[index].name : std::string_view("INVALID");
}

}  // namespace tradewind
