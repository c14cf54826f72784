// Core: the frames of the trade_updates stream. See protocol.hpp.
#include <charconv>

#include "tradewind/link/json_reader.hpp"
#include "tradewind/link/protocol.hpp"
#include "tradewind/link/timestamp.hpp"
#include "tradewind/link/wire_decimal.hpp"

namespace tradewind {

namespace {

using Kind = JsonScalar::Kind;

// Members of "data", of whichever message: which of them count is known once "stream" has been read.
struct StreamData {
  JsonScalar event, status, execution_id, timestamp, price, quantity, event_id;
  std::string_view order;  // the object's text
};

// The text of the next value, which is skipped.
[[nodiscard]] bool capture_value(JsonReader& reader, std::string_view json, std::string_view& text);

[[nodiscard]] bool read_data(JsonReader& reader, std::string_view json, StreamData& data) {
  if (!reader.enter_object()) return false;
  std::string_view key;
  while (reader.next_member(key)) {
    if (key == "order") {
      if (!capture_value(reader, json, data.order)) return false;
      continue;
    }
    JsonScalar scalar;
    if (!reader.read_scalar(scalar)) return false;
    if (key == "event") data.event = scalar;
    if (key == "status") data.status = scalar;
    if (key == "execution_id") data.execution_id = scalar;
    if (key == "timestamp") data.timestamp = scalar;
    if (key == "price") data.price = scalar;
    if (key == "qty") data.quantity = scalar;
    if (key == "event_id") data.event_id = scalar;
  }
  return reader.ok();
}

[[nodiscard]] bool capture_value(JsonReader& reader, std::string_view json, std::string_view& text) {
  const char open = reader.peek();
  const std::size_t begin = reader.position();
  if (!reader.skip_value()) return false;
  if (open == '{') text = json.substr(begin, reader.position() - begin);
  return true;
}

[[nodiscard]] std::uint64_t read_event_id(const JsonScalar& scalar) {
  std::uint64_t id = 0;
  // Alpaca's own (server-sent events) is a ULID: a string, which counts nothing for us.
  if (scalar.kind == Kind::kNumber) std::from_chars(scalar.raw.data(), scalar.raw.data() + scalar.raw.size(), id);
  return id;
}

[[nodiscard]] bool read_execution(const StreamData& data, BrokerEvent& event) {
  const auto quantity = read_decimal(data.quantity.raw, kQuantityDigits);
  const auto price = read_decimal(data.price.raw, kMoneyDigits, Excess::kRoundEven);
  if (!quantity || !price || !assign_exact(event.execution_id, data.execution_id)) return false;
  event.execution_quantity.raw = *quantity;
  event.execution_price.raw = *price;
  return true;
}

[[nodiscard]] ParseResult read_trade_update(const StreamData& data, StreamMessage& message) {
  if (data.event.kind != Kind::kString || data.order.empty()) return ParseResult::kMalformed;
  BrokerEvent& event = message.event;
  event.kind = BrokerEventKind::kTradeUpdate;
  event.stream_id = message.event_id;
  const ParseResult result = parse_order(data.order, event.order);
  if (result != ParseResult::kOk) return result;
  // The event's name is cut into the text: a rejection or a bust says there what happened.
  assign_cut(event.text, data.event);
  if (data.event.raw == "fill" || data.event.raw == "partial_fill") {
    if (!read_execution(data, event)) return ParseResult::kMalformed;
  }
  if (data.timestamp.kind == Kind::kString) event.broker_time = parse_rfc3339(data.timestamp.raw).value_or(0);
  return ParseResult::kOk;
}

[[nodiscard]] std::string quoted(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

ParseResult parse_stream_message(std::string_view json, StreamMessage& message) {
  message = {};
  JsonReader reader(json);
  StreamData data;
  std::string_view stream;
  std::string_view key;
  if (!reader.enter_object()) return ParseResult::kMalformed;
  while (reader.next_member(key)) {
    if (key == "data" && reader.peek() == '{') {
      if (!read_data(reader, json, data)) return ParseResult::kMalformed;
      continue;
    }
    JsonScalar scalar;
    if (!reader.read_scalar(scalar)) return ParseResult::kMalformed;
    if (key == "stream") stream = scalar.raw;
  }
  if (!reader.ok() || !reader.at_end()) return ParseResult::kMalformed;
  message.event_id = read_event_id(data.event_id);
  if (stream == "authorization") {
    const bool good = data.status.raw == "authorized";
    message.kind = good ? StreamMessage::Kind::kAuthorized : StreamMessage::Kind::kUnauthorized;
  } else if (stream == "listening") {
    message.kind = StreamMessage::Kind::kListening;
  } else if (stream == "trade_updates") {
    message.kind = StreamMessage::Kind::kTradeUpdate;
    return read_trade_update(data, message);
  }
  return ParseResult::kOk;
}

std::string authenticate_message(std::string_view key_id, std::string_view secret) {
  return R"({"action":"authenticate","data":{"key_id":)" + quoted(key_id) + R"(,"secret_key":)" + quoted(secret) + "}}";
}

std::string listen_message() { return R"({"action":"listen","data":{"streams":["trade_updates"]}})"; }

}  // namespace tradewind
