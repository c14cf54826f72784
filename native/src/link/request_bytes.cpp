// Core: see request_bytes.hpp.
#include "tradewind/link/request_bytes.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "tradewind/link/wire_decimal.hpp"

namespace tradewind {

namespace {

constexpr std::size_t kDecimalSlot = kDecimalWidth + 2;  // with its quotes
constexpr std::size_t kIdSlot = 48 + 2;

[[nodiscard]] std::string_view side_word(Side side) {
  return side == Side::kBuy ? "buy" : side == Side::kSell ? "sell" : "";
}

[[nodiscard]] std::string_view type_word(OrderType type) {
  return type == OrderType::kMarket ? "market" : type == OrderType::kLimit ? "limit" : "";
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
                    static_cast<std::size_t>(key.time_in_force);
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
  if (key.type == OrderType::kLimit) {
    body += R"(,"limit_price":)";
    made.price_at = body.size();
    body.append(kDecimalSlot, ' ');
  }
  body += R"(,"client_order_id":)";
  made.id_at = body.size();
  body.append(kIdSlot, ' ');
  body += '}';
  const std::string head = "POST " + path_ + "/v2/orders HTTP/1.1\r\n" + headers_ +
                           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\n\r\n";
  made.quantity_at += head.size();
  made.id_at += head.size();
  if (made.price_at != 0) made.price_at += head.size();
  made.bytes = head + body;
  return made;
}

std::string_view RequestBytes::write_order(const BrokerRequest& request, RequestBuffer& out) {
  const bool limit = request.order_type == OrderType::kLimit;
  if (!is_plain(request.client_order_id.view()) || !is_symbol(request.symbol.view()) || request.quantity.raw <= 0 ||
      side_word(request.side).empty() || type_word(request.order_type).empty() ||
      tif_word(request.time_in_force).empty() || (limit && request.limit_price.raw <= 0)) {
    return {};
  }
  const Key key{request.symbol, request.side, request.order_type, request.time_in_force};
  auto found = templates_.find(key);
  if (found == templates_.end()) found = templates_.emplace(key, make_template(key)).first;
  const Template& order = found->second;
  if (order.bytes.size() > out.size()) return {};
  std::memcpy(out.data(), order.bytes.data(), order.bytes.size());
  fill_decimal(out.data() + order.quantity_at, request.quantity.raw, kQuantityDigits);
  if (limit) fill_decimal(out.data() + order.price_at, request.limit_price.raw, kMoneyDigits);
  fill_slot(out.data() + order.id_at, kIdSlot, request.client_order_id.view());
  return {out.data(), order.bytes.size()};
}

// What does not change is left out: a fraction of a share can be said only by saying nothing.
std::string_view RequestBytes::write_replace(const BrokerRequest& request, RequestBuffer& out) const {
  const bool whole = request.quantity.raw % kQuantityScale == 0;
  if (!is_plain(request.client_order_id.view()) || !is_plain(request.broker_order_id.view()) ||
      request.quantity.raw <= 0 || request.limit_price.raw <= 0) {
    return {};
  }
  char quantity[kDecimalWidth], price[kDecimalWidth], length[8];
  const std::string_view quantity_text(quantity, write_decimal(quantity, request.quantity.raw, kQuantityDigits));
  const std::string_view price_text(price, write_decimal(price, request.limit_price.raw, kMoneyDigits));
  const std::array<std::string_view, 8> body{whole ? R"({"qty":")" : "{",
                                             whole ? quantity_text : "",
                                             whole ? R"(",)" : "",
                                             R"("limit_price":")",
                                             price_text,
                                             R"(","client_order_id":")",
                                             request.client_order_id.view(),
                                             R"("})"};
  std::size_t size = 0;
  for (const std::string_view part : body) size += part.size();
  const auto end = std::to_chars(length, length + sizeof length, size).ptr;
  std::size_t used = 0;
  const auto append = [&](std::string_view part) {
    const bool fits = used + part.size() <= out.size();
    if (fits) std::memcpy(out.data() + used, part.data(), part.size());
    used += part.size();
    return fits;
  };
  bool fits = true;
  for (const std::string_view part :
       {std::string_view("PATCH "), std::string_view(path_), std::string_view("/v2/orders/"),
        request.broker_order_id.view(), std::string_view(" HTTP/1.1\r\n"), std::string_view(headers_),
        std::string_view("Content-Type: application/json\r\nContent-Length: "),
        std::string_view(length, static_cast<std::size_t>(end - length)), std::string_view("\r\n\r\n")}) {
    fits = fits && append(part);
  }
  for (const std::string_view part : body) fits = fits && append(part);
  return fits ? std::string_view(out.data(), used) : std::string_view();
}

std::string_view RequestBytes::write_bare(std::string_view method, std::string_view target, std::string_view id,
                                          RequestBuffer& out) const {
  std::size_t used = 0;
  for (const std::string_view part : {method, std::string_view(path_), target, id, std::string_view(" HTTP/1.1\r\n"),
                                      std::string_view(headers_), std::string_view("\r\n")}) {
    if (used + part.size() > out.size()) return {};
    std::memcpy(out.data() + used, part.data(), part.size());
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
