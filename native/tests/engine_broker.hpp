// A broker for the engine's tests, and the configurations that they start from.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tradewind/engine/engine.hpp"
#include "tradewind/engine/order_terms.hpp"

namespace tradewind::testing {

inline constexpr std::int64_t kShare = kQuantityScale;
inline constexpr Time kSecond = 1'000'000'000;
inline constexpr Time kStart = 1'700'000'000 * kSecond;  // a Tuesday

inline Money dollars(double amount) {
  return Money{static_cast<std::int64_t>(amount * 1e8 + (amount < 0 ? -0.5 : 0.5))};
}
inline Quantity shares(std::int64_t count) { return Quantity{count * kShare}; }

inline RiskLimits wide_limits() {
  RiskLimits l;
  l.max_order_notional = l.price_collar = l.max_price_age = l.max_orders_per_minute = l.max_trades_per_day = kNoLimit;
  l.max_position = l.max_positions = l.max_gross = l.max_net = l.max_short_of_gross = l.max_sector = kNoLimit;
  l.daily_loss = l.weekly_loss = l.monthly_loss = l.max_consecutive_losses = kNoLimit;
  l.drawdown_reduce = l.drawdown_halve = l.drawdown_stop = kNoLimit;
  l.drawdown_reduce_factor = 750'000;
  l.drawdown_halve_factor = 500'000;
  l.volatility_reduce = l.volatility_halt = kNoLimit;
  l.volatility_factor = 500'000;
  l.market_order_buffer = 0;
  l.max_position_notional = l.max_turnover = kNoLimit;
  l.trade_risk = l.trade_risk_hard = l.max_estimate_age = kNoLimit;
  l.max_group = l.max_value_at_risk = l.max_volatility = kNoLimit;
  l.rapid_decline = l.feed_lost_after = l.broker_lost_after = kNoLimit;
  l.cut_tolerance = l.gap_move = l.extended_before = l.extended_after = kNoLimit;
  l.breaker_failures = l.breaker_pause = l.feed_silent_after = kNoLimit;
  l.reentry_step = 250'000;
  l.skip_first = l.skip_last = kNoLimit;
  l.adverse_move = 2 * kRatioScale;
  l.assumed_volatility = 500'000;
  l.allow_short = true;
  return l;
}

inline EngineConfig config_of(const std::vector<std::string>& symbols, const std::vector<std::string>& strategies) {
  EngineConfig c;
  c.account = "test";
  for (const auto& name : symbols) {
    SymbolConfig s;
    s.symbol = Symbol(name);
    c.symbols.push_back(s);
  }
  for (const auto& name : strategies) {
    StrategyConfig s;
    s.uid = StrategyId(name);
    s.capital_share = kNoLimit;
    c.strategies.push_back(s);
  }
  c.limits = wide_limits();
  c.max_intents = 4096;
  c.max_orders = 256;
  return c;
}

// The broker as the engine sees it: orders by client id. Market orders fill at the next open, limit orders when
// crossed, stops once they are; what is for one moment only ends with the next bar.
class FakeBroker {
 public:
  struct Order {
    BrokerOrder view;
    OrderType type = OrderType::kMarket;
    TimeInForce tif = TimeInForce::kDay;
    OrderTerms terms;
    bool triggered = false;  // of a stop: it works as what is left of its type
    Money best;              // of a trailing stop, since it was sent
    std::int64_t notional = 0;
    std::string heir;  // the order that replaces it, once the venue gets to it
  };

  Money cash = dollars(1'000'000);
  std::int64_t leverage = 4;
  std::map<std::string, std::int64_t> positions;
  std::map<std::string, Money> prices;
  std::map<std::string, Order> orders;
  std::vector<std::string> faults;  // what a real broker would refuse and an engine must never ask for
  std::map<std::string, int> submits;
  int duplicates_refused = 0;
  std::uint64_t executions = 0;
  bool slow_replaces = false;  // a replace is answered at once and happens with the next trade, or loses against it
  int replaced = 0;

  static bool open(const BrokerOrder& o) {
    return o.state == OrderState::kAccepted || o.state == OrderState::kPartiallyFilled ||
           o.state == OrderState::kPendingCancel || o.state == OrderState::kPendingReplace;
  }

  BrokerEvent answer(BrokerEventKind kind, const BrokerRequest& request) const {
    BrokerEvent e;
    e.kind = kind;
    e.request_id = request.request_id;
    e.order.client_order_id = request.client_order_id;
    return e;
  }

  // The REST answer; stream messages are appended to `stream`.
  BrokerEvent submit(const BrokerRequest& r, std::vector<BrokerEvent>& stream) {
    const std::string id = r.client_order_id.str();
    ++submits[id];
    if (orders.contains(id)) {
      ++duplicates_refused;
      return answer(BrokerEventKind::kDuplicate, r);
    }
    for (const auto& [other_id, other] : orders) {
      if (open(other.view) && other.view.symbol == r.symbol) {
        faults.push_back(other.view.side != r.side ? "wash trade in " + r.symbol.str()
                                                   : "two orders in " + r.symbol.str());
      }
    }
    const std::int64_t position = positions[r.symbol.str()];
    const std::int64_t signed_quantity = r.side == Side::kSell ? -r.quantity.raw : r.quantity.raw;
    if (position != 0 && (position < 0) != (signed_quantity < 0) && std::abs(signed_quantity) > std::abs(position)) {
      faults.push_back("order across zero in " + r.symbol.str());
    }
    if (r.quantity.raw <= 0) faults.push_back("empty order");
    Order o;
    o.type = r.order_type;
    o.tif = r.time_in_force;
    o.terms = r.terms;
    o.best = prices[r.symbol.str()];
    o.view.client_order_id = r.client_order_id;
    o.view.broker_order_id = BrokerOrderId("b" + std::to_string(orders.size() + 1));
    o.view.symbol = r.symbol;
    o.view.side = r.side;
    o.view.state = OrderState::kAccepted;
    o.view.quantity = r.quantity;
    o.view.limit_price = r.limit_price;
    o.view.live = true;
    orders[id] = o;
    stream.push_back(update(orders[id]));
    BrokerEvent e = answer(BrokerEventKind::kSubmitAccepted, r);
    e.order = o.view;
    return e;
  }

  BrokerEvent cancel(const BrokerRequest& r, std::vector<BrokerEvent>& stream) {
    for (auto& [id, o] : orders) {
      if (!(o.view.broker_order_id == r.broker_order_id)) continue;
      if (!open(o.view) || !o.heir.empty()) return answer(BrokerEventKind::kCancelRejected, r);
      o.view.state = OrderState::kCanceled;
      stream.push_back(update(o));
      return answer(BrokerEventKind::kCancelAccepted, r);
    }
    return answer(BrokerEventKind::kCancelRejected, r);
  }

  // Alpaca's: the new order starts with nothing filled and works its whole quantity.
  BrokerEvent replace(const BrokerRequest& r, std::vector<BrokerEvent>& stream) {
    const std::string id = r.client_order_id.str();
    if (orders.contains(id)) {
      ++duplicates_refused;
      return answer(BrokerEventKind::kDuplicate, r);
    }
    for (auto& [old_id, old] : orders) {
      if (!(old.view.broker_order_id == r.broker_order_id)) continue;
      const std::int64_t position = positions[r.symbol.str()];
      const std::int64_t change = r.side == Side::kSell ? -r.quantity.raw : r.quantity.raw;
      const bool across = position != 0 && (position < 0) != (change < 0) && std::abs(change) > std::abs(position);
      if (!open(old.view) || !old.heir.empty() || r.quantity <= old.view.filled || across) {
        return answer(BrokerEventKind::kSubmitRejected, r);
      }
      if (old.view.side != r.side || !(old.view.symbol == r.symbol)) faults.push_back("a replace of another order");
      if (r.quantity == old.view.quantity && r.limit_price == old.view.limit_price && r.terms == old.terms) {
        faults.push_back("a replace that changes nothing");
      }
      Order next = old;
      next.notional = 0;
      next.terms = r.terms;
      next.view.client_order_id = r.client_order_id;
      next.view.broker_order_id = BrokerOrderId("b" + std::to_string(orders.size() + 1));
      next.view.state = OrderState::kAccepted;
      next.view.quantity = r.quantity;
      next.view.filled = {};
      next.view.filled_avg_price = {};
      next.view.limit_price = r.limit_price;
      next.view.live = false;
      old.heir = id;
      old.view.state = OrderState::kPendingReplace;
      orders[id] = next;
      stream.push_back(update(old));
      BrokerEvent e = answer(BrokerEventKind::kSubmitAccepted, r);
      e.order = next.view;
      if (!slow_replaces) take_over(orders[old_id], stream);
      return e;
    }
    return answer(BrokerEventKind::kSubmitRejected, r);
  }

  void take_over(Order& old, std::vector<BrokerEvent>& stream) {
    Order& next = orders[old.heir];
    old.heir.clear();
    if (open(old.view)) {
      old.view.state = OrderState::kReplaced;
      next.view.live = true;
      ++replaced;
      stream.push_back(update(old));
    } else {
      next.view.state = OrderState::kRejected;
    }
    stream.push_back(update(next));
  }

  BrokerEvent lookup(const BrokerRequest& r) const {
    const auto found = orders.find(r.client_order_id.str());
    if (found == orders.end()) return answer(BrokerEventKind::kLookupMissing, r);
    BrokerEvent e = answer(BrokerEventKind::kLookupFound, r);
    e.order = found->second.view;
    return e;
  }

  std::vector<BrokerEvent> snapshot(const BrokerRequest& r) const {
    std::vector<BrokerEvent> events;
    BrokerEvent account = answer(BrokerEventKind::kAccount, r);
    std::int64_t value = 0, gross = 0;
    for (const auto& [symbol, position] : positions) {
      if (position == 0) continue;
      const std::int64_t worth = notional(prices.at(symbol), Quantity{position})->raw;
      value += worth;
      gross += std::abs(worth);
      BrokerEvent e = answer(BrokerEventKind::kPosition, r);
      e.order.symbol = Symbol(symbol);
      e.position = Quantity{position};
      events.push_back(e);
    }
    account.cash = cash;
    account.equity = Money{cash.raw + value};
    account.buying_power = Money{account.equity.raw * leverage - gross};
    events.push_back(account);
    for (const auto& [id, o] : orders) {
      BrokerEvent e = answer(BrokerEventKind::kSnapshotOrder, r);
      e.order = o.view;
      events.push_back(e);
    }
    events.push_back(answer(BrokerEventKind::kSnapshotEnd, r));
    return events;
  }

  static BrokerEvent update(const Order& o) {
    BrokerEvent e;
    e.kind = BrokerEventKind::kTradeUpdate;
    e.order = o.view;
    return e;
  }

  // Trades what rests in the symbol against a bar; `most` shares per order.
  void trade(const BarUpdate& bar, std::vector<BrokerEvent>& stream,
             std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
    prices[bar.symbol.str()] = bar.close;
    for (auto& [id, o] : orders) {
      if (!open(o.view) || !(o.view.symbol == bar.symbol) || waits(id)) continue;
      const std::int64_t left = o.view.quantity.raw - o.view.filled.raw;
      const auto price = price_of(o, bar);
      const bool whole = o.tif != TimeInForce::kFok || most >= left;
      if (price && whole) fill(o, std::min(most, left), *price, stream);
      const bool moment = o.tif == TimeInForce::kIoc || o.tif == TimeInForce::kFok || o.tif == TimeInForce::kOpg ||
                          o.tif == TimeInForce::kCls;
      if (!moment || !open(o.view)) continue;
      o.view.state = OrderState::kCanceled;
      stream.push_back(update(o));
    }
    for (auto& [id, o] : orders) {
      if (o.view.symbol == bar.symbol && !o.heir.empty()) take_over(o, stream);
    }
  }

  // At which the order trades within the bar, if it does.
  static std::optional<Money> price_of(Order& o, const BarUpdate& bar) {
    const bool buys = o.view.side == Side::kBuy;
    Money price = bar.open;
    if (o.type != OrderType::kMarket && o.type != OrderType::kLimit && !o.triggered) {
      Money stop = o.terms.stop_price;
      if (o.type == OrderType::kTrailingStop) {
        const std::int64_t away =
            o.terms.trail_price.raw > 0 ? o.terms.trail_price.raw : o.best.raw / kRatioScale * o.terms.trail_ratio;
        stop.raw = o.best.raw + (buys ? away : -away);
        o.best = buys ? std::min(o.best, bar.low) : std::max(o.best, bar.high);
      }
      if (buys ? bar.high < stop : bar.low > stop) return std::nullopt;
      o.triggered = true;
      price = buys ? std::max(bar.open, stop) : std::min(bar.open, stop);
    }
    if (!has_limit(o.type)) return price;
    if (buys ? bar.low > o.view.limit_price : bar.high < o.view.limit_price) return std::nullopt;
    return buys ? std::min(price, o.view.limit_price) : std::max(price, o.view.limit_price);
  }

  [[nodiscard]] bool waits(const std::string& id) const {
    return std::any_of(orders.begin(), orders.end(), [&id](const auto& entry) { return entry.second.heir == id; });
  }

  void fill(Order& o, std::int64_t quantity, Money price, std::vector<BrokerEvent>& stream) {
    const std::int64_t sign = o.view.side == Side::kBuy ? 1 : -1;
    o.view.filled.raw += quantity;
    o.notional += notional(price, Quantity{quantity})->raw;
    o.view.filled_avg_price =
        Money{*divide_half_even(static_cast<Int128>(o.notional) * kQuantityScale, o.view.filled.raw)};
    o.view.state = o.view.filled == o.view.quantity ? OrderState::kFilled : OrderState::kPartiallyFilled;
    positions[o.view.symbol.str()] += sign * quantity;
    cash.raw -= sign * notional(price, Quantity{quantity})->raw;
    BrokerEvent e = update(o);
    e.execution_id = ExecutionId("x" + std::to_string(++executions));
    e.execution_quantity = Quantity{quantity};
    e.execution_price = price;
    stream.push_back(e);
  }
};

}  // namespace tradewind::testing
