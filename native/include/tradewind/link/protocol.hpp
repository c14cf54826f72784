// Core: Alpaca's words. JSON bodies and stream frames -> BrokerEvents; HTTP status -> what it means for the request.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tradewind/messages.hpp"

namespace tradewind {

inline constexpr std::int32_t kCodeInvalid = 40010001;  // also "client_order_id must be unique"
inline constexpr std::int32_t kCodeNotFound = 40410000;
inline constexpr std::int32_t kCodeRateLimited = 42910000;

enum class ParseResult : std::uint8_t {
  kOk,
  kMalformed,  // not the JSON we know: what it said is lost
  kForeign,    // whole, but of an order or instrument that this engine cannot hold, hence not ours
};

// An unknown status counts as kAccepted: an order that may still fill keeps its exposure.
[[nodiscard]] OrderState order_state(std::string_view status);

// One order object. `submitted_at` receives the text of that field (for paging); it may be null.
[[nodiscard]] ParseResult parse_order(std::string_view json, BrokerOrder& order, std::string* submitted_at = nullptr);

struct BrokerError {
  std::int32_t code = 0;
  ShortText text;
};
// {"code": ..., "message": ...}; what is missing stays empty. Never fails: any body may follow an error status.
[[nodiscard]] BrokerError parse_error(std::string_view json);

// What an HTTP answer means for a kSubmit, kReplace, kCancel or kLookup. 429 is not mapped here: the link sends again.
[[nodiscard]] BrokerEvent map_answer(const BrokerRequest& request, int http_status, std::string_view body);

// The event of a request whose answer never came: sent, and its fate unknown.
[[nodiscard]] BrokerEvent lost_answer(const BrokerRequest& request, std::string_view why);

// The event of a request of which no byte was sent.
[[nodiscard]] BrokerEvent never_sent(const BrokerRequest& request, int http_status, std::int32_t code,
                                     std::string_view why);

[[nodiscard]] ParseResult parse_account(std::string_view json, BrokerEvent& event);

using EventVisitor = std::function<void(const BrokerEvent&)>;

// GET /v2/positions: one kPosition per row.
[[nodiscard]] ParseResult parse_positions(std::string_view json, const EventVisitor& visit);

struct OrdersPage {
  std::size_t rows = 0;           // foreign ones included
  std::string last_submitted_at;  // where the next page starts (exclusive)
};
// GET /v2/orders: one kSnapshotOrder per row that can be ours.
[[nodiscard]] ParseResult parse_orders(std::string_view json, const EventVisitor& visit, OrdersPage& page);

struct StreamMessage {
  enum class Kind : std::uint8_t { kOther, kAuthorized, kUnauthorized, kListening, kTradeUpdate };
  Kind kind = Kind::kOther;
  BrokerEvent event;           // kTradeUpdate
  std::uint64_t event_id = 0;  // kListening, kTradeUpdate: the simulated venue's; 0 when there is none
};
// One frame of /stream, text or binary.
[[nodiscard]] ParseResult parse_stream_message(std::string_view json, StreamMessage& message);

[[nodiscard]] std::string authenticate_message(std::string_view key_id, std::string_view secret);
[[nodiscard]] std::string listen_message();

}  // namespace tradewind
