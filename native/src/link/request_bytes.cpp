// Core: see request_bytes.hpp.
#include "tradewind/link/request_bytes.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "tradewind/engine/order_terms.hpp"
#include "tradewind/link/wire_decimal.hpp"

namespace tradewind {

namespace {

constexpr std::size_t kDecimalSlot = kDecimalWidth + 2;  // with its quotes
constexpr std::size_t kIdSlot = 48 + 2;
constexpr int kPercentDigits = 4;  // ppm as a percentage

[[nodiscard]] std::string_view side_word(Side side) {
  return side == Side::kBuy ? "buy" : side == Side::kSell ? "sell" : "";
}

[[nodiscard]] std::string_view type_word(OrderType type) {
  static constexpr std::array<std::string_view, 6> kWords{"", "market", "limit", "stop", "stop_limit", "trailing_stop"};
  const auto index = static_cast<std::size_t>(type);
  return index < kWords.size() ? kWords[index] : "";
}

[[nodiscard]] std::string_view tif_word(TimeInForce tif) {
  static constexpr std::array<std::string_view, 7> kWords{"", "day", "gtc", "ioc", "fok", "opg", "cls"};
  const auto index = static_cast<std::size_t>(tif);
  return index < kWords.size() ? kWords[index] : "";
}

// Safe in a JSON string, a path and a query alike, without escapes.
[[nodiscard]] bool is_plain(std::string_view id) {
  return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.' || c == ':';
  });
}

[[nodiscard]] bool is_symbol(std::string_view symbol) {
  return !symbol.empty() && std::all_of(symbol.begin(), symbol.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/' || c == '-';
  });
}

// Every price that the order's type calls for is there.
[[nodiscard]] bool prices_sayable(const BrokerRequest& request) {
  if (has_limit(request.order_type) && request.limit_price.raw <= 0) return false;
  if (has_stop(request.order_type) && request.terms.stop_price.raw <= 0) return false;
  return request.order_type != OrderType::kTrailingStop || request.terms.trail_price.raw > 0 ||
         request.terms.trail_ratio > 0;
}

// "text" and spaces up to the slot's width.
void fill_slot(char* at, std::size_t width, std::string_view text) {
  at[0] = '"';
  std::memcpy(at + 1, text.data(), text.size());
  at[1 + text.size()] = '"';
  std::memset(at + 2 + text.size(), ' ', width - text.size() - 2);
}

void fill_decimal(char* at, std::int64_t raw, int digits) {
  char text[kDecimalWidth];
  fill_slot(at, kDecimalSlot, {text, write_decimal(text, raw, digits)});
}

}  // namespace

std::size_t RequestBytes::KeyHash::operator()(const Key& key) const {
  const auto kind = static_cast<std::size_t>(key.side) << 16 | static_cast<std::size_t>(key.type) << 8 |
                    static_cast<std::size_t>(key.time_in_force) | static_cast<std::size_t>(key.extended_hours) << 24 |
                    static_cast<std::size_t>(key.by_ratio) << 25;
  return std::hash<std::string_view>{}(key.symbol.view()) ^ (kind * 0x9E3779B97F4A7C15ULL);
}

RequestBytes::RequestBytes(const Endpoint& endpoint, const std::string& key_id, const std::string& secret)
    : path_(endpoint.path),
      headers_("Host: " + endpoint.authority() + "\r\nAPCA-API-KEY-ID: " + key_id +
               "\r\nAPCA-API-SECRET-KEY: " + secret + "\r\n") {
  templates_.reserve(1024);
}

RequestBytes::Template RequestBytes::make_template(const Key& key) const {
  Template made;
  std::string body = R"({"symbol":")" + key.symbol.str() + R"(","side":")" + std::string(side_word(key.side)) +
                     R"(","type":")" + std::string(type_word(key.type)) + R"(","time_in_force":")" +
                     std::string(tif_word(key.time_in_force)) + R"(","qty":)";
  made.quantity_at = body.size();
  body.append(kDecimalSlot, ' ');
  const auto slot = [&body](std::string_view name) {
    body.append(R"(,")").append(name).append(R"(":)");
    const std::size_t at = body.size();
    body.append(kDecimalSlot, ' ');
    return at;
  };
  if (has_limit(key.type)) made.limit_at = slot("limit_price");
  if (has_stop(key.type)) made.stop_at = slot("stop_price");
  if (key.type == OrderType::kTrailingStop) made.trail_at = slot(key.by_ratio ? "trail_percent" : "trail_price");
  if (key.extended_hours) body += R"(,"extended_hours":true)";
  body += R"(,"client_order_id":)";
  made.id_at = body.size();
  body.append(kIdSlot, ' ');
  body += '}';
  const std::string head = "POST " + path_ + "/v2/orders HTTP/1.1\r\n" + headers_ +
                           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\n\r\n";
  made.quantity_at += head.size();
  made.id_at += head.size();
  for (std::size_t* at : {&made.limit_at, &made.stop_at, &made.trail_at}) *at += *at != 0 ? head.size() : 0;
  made.bytes = head + body;
  return made;
}

std::string_view RequestBytes::write_order(const BrokerRequest& request, RequestBuffer& out) {
  if (!is_plain(request.client_order_id.view()) || !is_symbol(request.symbol.view()) || request.quantity.raw <= 0 ||
      side_word(request.side).empty() || type_word(request.order_type).empty() ||
      tif_word(request.time_in_force).empty() || !prices_sayable(request)) {
    return {};
  }
  const OrderTerms& terms = request.terms;
  const bool by_ratio = request.order_type == OrderType::kTrailingStop && terms.trail_ratio != 0;
  const Key key{request.symbol,        request.side,         request.order_type,
                request.time_in_force, terms.extended_hours, by_ratio};
  auto found = templates_.find(key);
  if (found == templates_.end()) found = templates_.emplace(key, make_template(key)).first;
  const Template& order = found->second;
  if (order.bytes.size() > out.size()) return {};
  std::memcpy(out.data(), order.bytes.data(), order.bytes.size());
  fill_decimal(out.data() + order.quantity_at, request.quantity.raw, kQuantityDigits);
  if (order.limit_at != 0) fill_decimal(out.data() + order.limit_at, request.limit_price.raw, kMoneyDigits);
  if (order.stop_at != 0) fill_decimal(out.data() + order.stop_at, terms.stop_price.raw, kMoneyDigits);
  if (order.trail_at != 0) {
    fill_decimal(out.data() + order.trail_at, by_ratio ? terms.trail_ratio : terms.trail_price.raw,
                 by_ratio ? kPercentDigits : kMoneyDigits);
  }
  fill_slot(out.data() + order.id_at, kIdSlot, request.client_order_id.view());
  return {out.data(), order.bytes.size()};
}

// A fraction of a share can be said only by saying nothing: its quantity stays.
std::string_view RequestBytes::write_replace(const BrokerRequest& request, RequestBuffer& out) const {
  if (!is_plain(request.client_order_id.view()) || !is_plain(request.broker_order_id.view()) ||
      request.quantity.raw <= 0 || !prices_sayable(request)) {
    return {};
  }
  std::array<char, 512> body{};
  std::size_t size = 0;
  const auto say = [&](std::string_view name, std::int64_t raw, int digits) {
    const std::string_view key(name);
    for (const std::string_view part :
         {std::string_view(size == 0 ? R"({")" : R"(,")"), key, std::string_view(R"(":")")}) {
      std::ranges::copy(part, body.data() + size);
      size += part.size();
    }
    char text[kDecimalWidth];
    const std::size_t width = write_decimal(text, raw, digits);
    std::memcpy(body.data() + size, text, width);
    size += width;
    body[size++] = '"';
  };
  const OrderTerms& terms = request.terms;
  if (request.quantity.raw % kQuantityScale == 0) say("qty", request.quantity.raw, kQuantityDigits);
  if (has_limit(request.order_type)) say("limit_price", request.limit_price.raw, kMoneyDigits);
  if (has_stop(request.order_type)) say("stop_price", terms.stop_price.raw, kMoneyDigits);
  if (request.order_type == OrderType::kTrailingStop) {
    if (terms.trail_ratio != 0)
      say("trail", terms.trail_ratio, kPercentDigits);
    else
      say("trail", terms.trail_price.raw, kMoneyDigits);
  }
  char length[8];
  const std::string_view id_key = size == 0 ? R"({"client_order_id":")" : R"(,"client_order_id":")";
  const std::string_view end = R"("})";
  const std::size_t total = size + id_key.size() + request.client_order_id.view().size() + end.size();
  const auto length_end = std::to_chars(length, length + sizeof length, total).ptr;
  std::size_t used = 0;
  for (const std::string_view part :
       {std::string_view("PATCH "), std::string_view(path_), std::string_view("/v2/orders/"),
        request.broker_order_id.view(), std::string_view(" HTTP/1.1\r\n"), std::string_view(headers_),
        std::string_view("Content-Type: application/json\r\nContent-Length: "),
        std::string_view(length, static_cast<std::size_t>(length_end - length)), std::string_view("\r\n\r\n"),
        std::string_view(body.data(), size), id_key, request.client_order_id.view(), end}) {
    if (used + part.size() > out.size()) return {};
    std::ranges::copy(part, out.data() + used);
    used += part.size();
  }
  return {out.data(), used};
}

std::string_view RequestBytes::write_bare(std::string_view method, std::string_view target, std::string_view id,
                                          RequestBuffer& out) const {
  std::size_t used = 0;
  for (const std::string_view part : {method, std::string_view(path_), target, id, std::string_view(" HTTP/1.1\r\n"),
                                      std::string_view(headers_), std::string_view("\r\n")}) {
    if (used + part.size() > out.size()) return {};
    std::ranges::copy(part, out.data() + used);
    used += part.size();
  }
  return {out.data(), used};
}

std::string_view RequestBytes::write_get(std::string_view target, RequestBuffer& out) const {
  return write_bare("GET ", target, {}, out);
}

std::string_view RequestBytes::write(const BrokerRequest& request, RequestBuffer& out) {
  switch (request.kind) {
    case RequestKind::kSubmit:
      return write_order(request, out);
    case RequestKind::kReplace:
      return write_replace(request, out);
    case RequestKind::kCancel:
      if (!is_plain(request.broker_order_id.view())) return {};
      return write_bare("DELETE ", "/v2/orders/", request.broker_order_id.view(), out);
    case RequestKind::kLookup:
      if (!is_plain(request.client_order_id.view())) return {};
      return write_bare("GET ", "/v2/orders:by_client_order_id?client_order_id=", request.client_order_id.view(), out);
    default:
      return {};
  }
}

}  // namespace tradewind
