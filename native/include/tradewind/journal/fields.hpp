// Core: the fields of every message, named once. The journal's bytes and Python's dictionaries are made from this list.
#pragma once

#include <concepts>
#include <type_traits>

#include "tradewind/engine/records.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

// fields(visitor, object) calls visitor(name, member) for each member. Journals hold them in this order: append only.
#define TRADEWIND_FIELDS(Type, ...)                          \
  template <class Visitor, class Object>                     \
    requires std::same_as<std::remove_const_t<Object>, Type> \
  void fields(Visitor& visit, Object& o) {                   \
    __VA_ARGS__                                              \
  }
#define TRADEWIND_FIELD(name) visit(#name, o.name);

// clang-format off
TRADEWIND_FIELDS(TimeUpdate, (void)visit; (void)o;)

TRADEWIND_FIELDS(BarUpdate,
    TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(event_time) TRADEWIND_FIELD(open) TRADEWIND_FIELD(high)
    TRADEWIND_FIELD(low) TRADEWIND_FIELD(close) TRADEWIND_FIELD(volume) TRADEWIND_FIELD(context)
    TRADEWIND_FIELD(volatility_index))

TRADEWIND_FIELDS(OrderTerms,
    TRADEWIND_FIELD(stop_price) TRADEWIND_FIELD(trail_price) TRADEWIND_FIELD(trail_ratio)
    TRADEWIND_FIELD(extended_hours))

TRADEWIND_FIELDS(ExecutionPlan,
    TRADEWIND_FIELD(algorithm) TRADEWIND_FIELD(duration) TRADEWIND_FIELD(interval) TRADEWIND_FIELD(urgency)
    TRADEWIND_FIELD(participation) TRADEWIND_FIELD(jitter) TRADEWIND_FIELD(risk_rate))

TRADEWIND_FIELDS(Intent,
    TRADEWIND_FIELD(id) TRADEWIND_FIELD(strategy) TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(target)
    TRADEWIND_FIELD(decision_time) TRADEWIND_FIELD(valid_until) TRADEWIND_FIELD(order_type)
    TRADEWIND_FIELD(time_in_force) TRADEWIND_FIELD(limit_price) TRADEWIND_FIELD(reference_price)
    TRADEWIND_FIELD(champion) TRADEWIND_FIELD(gates_passed) TRADEWIND_FIELD(model) TRADEWIND_FIELD(model_version)
    TRADEWIND_FIELD(terms) TRADEWIND_FIELD(target_notional) TRADEWIND_FIELD(stop_loss) TRADEWIND_FIELD(take_profit)
    TRADEWIND_FIELD(plan))

TRADEWIND_FIELDS(BrokerOrder,
    TRADEWIND_FIELD(client_order_id) TRADEWIND_FIELD(broker_order_id) TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(side)
    TRADEWIND_FIELD(state) TRADEWIND_FIELD(quantity) TRADEWIND_FIELD(filled) TRADEWIND_FIELD(filled_avg_price)
    TRADEWIND_FIELD(limit_price) TRADEWIND_FIELD(live))

TRADEWIND_FIELDS(BrokerEvent,
    TRADEWIND_FIELD(kind) TRADEWIND_FIELD(request_id) TRADEWIND_FIELD(order) TRADEWIND_FIELD(execution_id)
    TRADEWIND_FIELD(execution_quantity) TRADEWIND_FIELD(execution_price) TRADEWIND_FIELD(broker_time)
    TRADEWIND_FIELD(stream_id) TRADEWIND_FIELD(position) TRADEWIND_FIELD(average_price) TRADEWIND_FIELD(cash)
    TRADEWIND_FIELD(equity) TRADEWIND_FIELD(buying_power) TRADEWIND_FIELD(http_status) TRADEWIND_FIELD(code)
    TRADEWIND_FIELD(text))

TRADEWIND_FIELDS(Control,
    TRADEWIND_FIELD(kind) TRADEWIND_FIELD(issued_by) TRADEWIND_FIELD(reason) TRADEWIND_FIELD(flatten))

TRADEWIND_FIELDS(RiskEstimate,
    TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(time) TRADEWIND_FIELD(group) TRADEWIND_FIELD(first)
    TRADEWIND_FIELD(last) visit.numbers("returns", o.returns, o.count);)

TRADEWIND_FIELDS(SessionUpdate,
    TRADEWIND_FIELD(open) TRADEWIND_FIELD(close) TRADEWIND_FIELD(next_open))

TRADEWIND_FIELDS(BrokerRequest,
    TRADEWIND_FIELD(kind) TRADEWIND_FIELD(request_id) TRADEWIND_FIELD(client_order_id)
    TRADEWIND_FIELD(broker_order_id) TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(side) TRADEWIND_FIELD(order_type)
    TRADEWIND_FIELD(time_in_force) TRADEWIND_FIELD(quantity) TRADEWIND_FIELD(limit_price)
    TRADEWIND_FIELD(terms))

TRADEWIND_FIELDS(IntentVerdict,
    TRADEWIND_FIELD(intent) TRADEWIND_FIELD(strategy) TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(accepted)
    TRADEWIND_FIELD(code) TRADEWIND_FIELD(message) TRADEWIND_FIELD(order) TRADEWIND_FIELD(slice)
    TRADEWIND_FIELD(decision_time) TRADEWIND_FIELD(time) TRADEWIND_FIELD(generation))

TRADEWIND_FIELDS(OrderRecord,
    TRADEWIND_FIELD(client_order_id) TRADEWIND_FIELD(broker_order_id) TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(side)
    TRADEWIND_FIELD(order_type) TRADEWIND_FIELD(time_in_force) TRADEWIND_FIELD(quantity) TRADEWIND_FIELD(limit_price)
    TRADEWIND_FIELD(state) TRADEWIND_FIELD(filled) TRADEWIND_FIELD(filled_notional) TRADEWIND_FIELD(reduce_only)
    TRADEWIND_FIELD(code) TRADEWIND_FIELD(text) visit.list("intents", o.intents, o.intent_count);
    TRADEWIND_FIELD(time) TRADEWIND_FIELD(replaces) TRADEWIND_FIELD(terms) TRADEWIND_FIELD(exit)
    TRADEWIND_FIELD(category))

TRADEWIND_FIELDS(FillRecord,
    TRADEWIND_FIELD(execution_id) TRADEWIND_FIELD(client_order_id) TRADEWIND_FIELD(broker_order_id)
    TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(strategy) TRADEWIND_FIELD(side) TRADEWIND_FIELD(quantity)
    TRADEWIND_FIELD(price) TRADEWIND_FIELD(fee) TRADEWIND_FIELD(internal) TRADEWIND_FIELD(time))

TRADEWIND_FIELDS(PositionRecord,
    TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(strategy) TRADEWIND_FIELD(quantity) TRADEWIND_FIELD(average_price)
    TRADEWIND_FIELD(realized_pnl) TRADEWIND_FIELD(market_price) TRADEWIND_FIELD(time))

TRADEWIND_FIELDS(AccountRecord,
    TRADEWIND_FIELD(cash) TRADEWIND_FIELD(equity) TRADEWIND_FIELD(buying_power) TRADEWIND_FIELD(time))

TRADEWIND_FIELDS(RiskRecord,
    TRADEWIND_FIELD(kill_switch) TRADEWIND_FIELD(paused) TRADEWIND_FIELD(ready) TRADEWIND_FIELD(kill_reason)
    TRADEWIND_FIELD(equity) TRADEWIND_FIELD(day_high_equity) TRADEWIND_FIELD(peak_equity)
    TRADEWIND_FIELD(gross_exposure) TRADEWIND_FIELD(net_exposure) TRADEWIND_FIELD(drawdown)
    TRADEWIND_FIELD(size_factor) TRADEWIND_FIELD(trades_today) TRADEWIND_FIELD(consecutive_losses)
    TRADEWIND_FIELD(time) TRADEWIND_FIELD(value_at_risk) TRADEWIND_FIELD(volatility)
    TRADEWIND_FIELD(estimate_time) TRADEWIND_FIELD(broker_rest) TRADEWIND_FIELD(broker_stream)
    TRADEWIND_FIELD(market_data) TRADEWIND_FIELD(estimates))

TRADEWIND_FIELDS(KillRecord,
    TRADEWIND_FIELD(phase) TRADEWIND_FIELD(reason) TRADEWIND_FIELD(issued_by) TRADEWIND_FIELD(time))

TRADEWIND_FIELDS(Alert,
    TRADEWIND_FIELD(severity) TRADEWIND_FIELD(symbol) TRADEWIND_FIELD(text) TRADEWIND_FIELD(time))

// clang-format on
#undef TRADEWIND_FIELD
#undef TRADEWIND_FIELDS

}  // namespace tradewind
