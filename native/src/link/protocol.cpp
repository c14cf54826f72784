// Core: Alpaca's order, account and position objects. See protocol.hpp.
#include "tradewind/link/protocol.hpp"

#include <array>
#include <utility>

#include "tradewind/link/json_reader.hpp"
#include "tradewind/link/wire_decimal.hpp"

namespace tradewind {

OrderState order_state(std::string_view status) {
  static constexpr std::array<std::pair<std::string_view, OrderState>, 11> kStates{{
      {"partially_filled", OrderState::kPartiallyFilled},
      {"partial_fill", OrderState::kPartiallyFilled},  // the stream's event
      {"filled", OrderState::kFilled},
      {"fill", OrderState::kFilled},  // the stream's event
      {"canceled", OrderState::kCanceled},
      {"expired", OrderState::kExpired},
      {"replaced", OrderState::kReplaced},
      {"rejected", OrderState::kRejected},
      {"pending_cancel", OrderState::kPendingCancel},
      {"pending_replace", OrderState::kPendingReplace},
      {"pending_new", OrderState::kAccepted},
  }};
  for (const auto& [name, state] : kStates) {
    if (name == status) return state;
  }
  return OrderState::kAccepted;
}

namespace {

using Kind = JsonScalar::Kind;

// null leaves the value as it was.
template <typename Fixed>
[[nodiscard]] bool assign_decimal(Fixed& target, const JsonScalar& scalar, int digits, Excess excess) {
  if (scalar.kind == Kind::kNull) return true;
  if (scalar.kind != Kind::kString && scalar.kind != Kind::kNumber) return false;
  const auto value = read_decimal(scalar.raw, digits, excess);
  if (!value) return false;
  target.raw = *value;
  return true;
}

[[nodiscard]] bool assign_money(Money& target, const JsonScalar& scalar, Excess excess = Excess::kRefuse) {
  return assign_decimal(target, scalar, kMoneyDigits, excess);
}

[[nodiscard]] bool assign_quantity(Quantity& target, const JsonScalar& scalar) {
  return assign_decimal(target, scalar, kQuantityDigits, Excess::kRefuse);
}

struct OrderFields {
  BrokerOrder order;
  std::string_view submitted_at;
  bool fits = true;  // symbol and broker's id have room here
};

[[nodiscard]] bool read_order_member(JsonReader& reader, std::string_view key, OrderFields& fields) {
  BrokerOrder& order = fields.order;
  JsonScalar scalar;
  if (!reader.read_scalar(scalar)) return false;
  if (key == "id") {
    fields.fits = assign_exact(order.broker_order_id, scalar) && fields.fits;
  } else if (key == "client_order_id") {
    // Longer than any of ours: another program's order. It stays without a name.
    if (!assign_exact(order.client_order_id, scalar)) order.client_order_id = {};
  } else if (key == "symbol") {
    fields.fits = assign_exact(order.symbol, scalar) && fields.fits;
  } else if (key == "side") {
    order.side = scalar.raw == "buy" ? Side::kBuy : scalar.raw == "sell" ? Side::kSell : Side::kNone;
  } else if (key == "status") {
    if (scalar.kind != Kind::kString) return false;
    order.state = order_state(scalar.raw);
    order.live = scalar.raw == "new" || scalar.raw == "partially_filled";
  } else if (key == "qty") {
    return assign_quantity(order.quantity, scalar);
  } else if (key == "filled_qty") {
    return assign_quantity(order.filled, scalar);
  } else if (key == "filled_avg_price") {
    return assign_money(order.filled_avg_price, scalar, Excess::kRoundEven);
  } else if (key == "limit_price") {
    return assign_money(order.limit_price, scalar);
  } else if (key == "submitted_at" && scalar.kind == Kind::kString) {
    fields.submitted_at = scalar.raw;
  }
  return true;
}

[[nodiscard]] ParseResult read_order(JsonReader& reader, OrderFields& fields) {
  if (!reader.enter_object()) return ParseResult::kMalformed;
  std::string_view key;
  while (reader.next_member(key)) {
    if (!read_order_member(reader, key, fields)) return ParseResult::kMalformed;
  }
  if (!reader.ok()) return ParseResult::kMalformed;
  if (!fields.fits) return ParseResult::kForeign;
  const bool whole = !fields.order.broker_order_id.empty() && fields.order.state != OrderState::kNone;
  return whole ? ParseResult::kOk : ParseResult::kMalformed;
}

// Calls row(reader) for each object of an array; row() consumes it.
template <typename Row>
[[nodiscard]] ParseResult each_row(std::string_view json, Row row) {
  JsonReader reader(json);
  if (!reader.enter_array()) return ParseResult::kMalformed;
  while (reader.next_element()) {
    if (row(reader) == ParseResult::kMalformed) return ParseResult::kMalformed;
  }
  return reader.ok() && reader.at_end() ? ParseResult::kOk : ParseResult::kMalformed;
}

[[nodiscard]] ParseResult read_position(JsonReader& reader, BrokerEvent& event) {
  event = {};
  event.kind = BrokerEventKind::kPosition;
  bool fits = true, is_short = false, has_quantity = false;
  if (!reader.enter_object()) return ParseResult::kMalformed;
  std::string_view key;
  while (reader.next_member(key)) {
    JsonScalar scalar;
    if (!reader.read_scalar(scalar)) return ParseResult::kMalformed;
    bool good = true;
    if (key == "symbol") {
      fits = assign_exact(event.order.symbol, scalar);
    } else if (key == "qty") {
      good = has_quantity = assign_quantity(event.position, scalar) && scalar.kind != Kind::kNull;
    } else if (key == "side") {
      is_short = scalar.raw == "short";
    } else if (key == "avg_entry_price") {
      good = assign_money(event.average_price, scalar, Excess::kRoundEven);
    }
    if (!good) return ParseResult::kMalformed;
  }
  if (!reader.ok() || !has_quantity) return ParseResult::kMalformed;
  if (!fits) return ParseResult::kForeign;
  if (event.order.symbol.empty()) return ParseResult::kMalformed;
  // Whether a short's quantity carries the sign is not documented: both spellings mean the same.
  if (is_short && event.position.raw > 0) event.position.raw = -event.position.raw;
  return ParseResult::kOk;
}

}  // namespace

ParseResult parse_order(std::string_view json, BrokerOrder& order, std::string* submitted_at) {
  JsonReader reader(json);
  OrderFields fields;
  const ParseResult result = read_order(reader, fields);
  if (result == ParseResult::kMalformed || !reader.at_end()) return ParseResult::kMalformed;
  order = fields.order;
  if (submitted_at != nullptr) submitted_at->assign(fields.submitted_at);
  return result;
}

ParseResult parse_account(std::string_view json, BrokerEvent& event) {
  event = {};
  event.kind = BrokerEventKind::kAccount;
  JsonReader reader(json);
  if (!reader.enter_object()) return ParseResult::kMalformed;
  int known = 0;
  std::string_view key;
  while (reader.next_member(key)) {
    JsonScalar scalar;
    if (!reader.read_scalar(scalar)) return ParseResult::kMalformed;
    Money* target = key == "cash"           ? &event.cash
                    : key == "equity"       ? &event.equity
                    : key == "buying_power" ? &event.buying_power
                                            : nullptr;
    if (target == nullptr) continue;
    if (scalar.kind == Kind::kNull || !assign_money(*target, scalar, Excess::kRoundEven))
      return ParseResult::kMalformed;
    ++known;
  }
  return reader.ok() && reader.at_end() && known == 3 ? ParseResult::kOk : ParseResult::kMalformed;
}

ParseResult parse_positions(std::string_view json, const EventVisitor& visit) {
  return each_row(json, [&](JsonReader& reader) {
    BrokerEvent event;
    const ParseResult result = read_position(reader, event);
    if (result == ParseResult::kOk) visit(event);
    return result;
  });
}

ParseResult parse_orders(std::string_view json, const EventVisitor& visit, OrdersPage& page) {
  page = {};
  return each_row(json, [&](JsonReader& reader) {
    OrderFields fields;
    const ParseResult result = read_order(reader, fields);
    if (result == ParseResult::kMalformed) return result;
    ++page.rows;
    page.last_submitted_at.assign(fields.submitted_at);
    if (result == ParseResult::kOk) {
      BrokerEvent event;
      event.kind = BrokerEventKind::kSnapshotOrder;
      event.order = fields.order;
      visit(event);
    }
    return result;
  });
}

}  // namespace tradewind
