// Core: what an HTTP answer, or its absence, means for the request. See protocol.hpp.
#include <charconv>

#include "tradewind/link/json_reader.hpp"
#include "tradewind/link/protocol.hpp"

namespace tradewind {

BrokerError parse_error(std::string_view json) {
  BrokerError error;
  JsonReader reader(json);
  if (!reader.enter_object()) return error;
  std::string_view key;
  while (reader.next_member(key)) {
    JsonScalar scalar;
    if (!reader.read_scalar(scalar)) break;
    if (key == "code" && scalar.kind == JsonScalar::Kind::kNumber) {
      std::from_chars(scalar.raw.data(), scalar.raw.data() + scalar.raw.size(), error.code);
    } else if (key == "message") {
      assign_cut(error.text, scalar);
    }
  }
  return error;
}

namespace {

[[nodiscard]] BrokerEvent answer(const BrokerRequest& request, BrokerEventKind kind) {
  BrokerEvent event;
  event.kind = kind;
  event.request_id = request.request_id;
  event.order.client_order_id = request.client_order_id;
  event.order.broker_order_id = request.broker_order_id;
  event.order.symbol = request.symbol;
  event.order.side = request.side;
  event.order.quantity = request.quantity;
  event.order.limit_price = request.limit_price;
  return event;
}

[[nodiscard]] ShortText cut(std::string_view text) {
  ShortText shortened;
  shortened.assign(text.substr(0, 200));
  return shortened;
}

[[nodiscard]] bool is_duplicate(int http_status, const BrokerError& error) {
  if (http_status == 409) return true;
  return http_status == 422 && error.code == kCodeInvalid &&
         error.text.view().find("client_order_id must be unique") != std::string_view::npos;
}

[[nodiscard]] BrokerEventKind refused_kind(const BrokerRequest& request, int http_status, const BrokerError& error) {
  switch (request.kind) {
    case RequestKind::kSubmit:
    case RequestKind::kReplace:
      return is_duplicate(http_status, error) ? BrokerEventKind::kDuplicate : BrokerEventKind::kSubmitRejected;
    case RequestKind::kCancel:
      return BrokerEventKind::kCancelRejected;
    case RequestKind::kLookup:
      // Any door on the way may say 404; only the broker says it with this code.
      return http_status == 404 && error.code == kCodeNotFound ? BrokerEventKind::kLookupMissing
                                                               : BrokerEventKind::kLookupFailed;
    default:
      return BrokerEventKind::kSnapshotFailed;
  }
}

[[nodiscard]] BrokerEventKind lost_kind(RequestKind kind) {
  switch (kind) {
    case RequestKind::kSubmit:
    case RequestKind::kReplace:
      return BrokerEventKind::kSubmitUnknown;
    case RequestKind::kCancel:
      return BrokerEventKind::kCancelUnknown;
    case RequestKind::kLookup:
      return BrokerEventKind::kLookupFailed;
    default:
      return BrokerEventKind::kSnapshotFailed;
  }
}

}  // namespace

BrokerEvent lost_answer(const BrokerRequest& request, std::string_view why) {
  BrokerEvent event = answer(request, lost_kind(request.kind));
  event.text = cut(why);
  return event;
}

BrokerEvent never_sent(const BrokerRequest& request, int http_status, std::int32_t code, std::string_view why) {
  // A cancel is never given up as refused: only the broker can say that the order needs none.
  const bool cancel = request.kind == RequestKind::kCancel;
  BrokerEvent event = answer(request, cancel ? lost_kind(request.kind) : refused_kind(request, 0, {}));
  event.http_status = http_status;
  event.code = code;
  event.text = cut(why);
  return event;
}

BrokerEvent map_answer(const BrokerRequest& request, int http_status, std::string_view body) {
  if (http_status >= 200 && http_status < 300) {
    if (request.kind == RequestKind::kCancel) {
      BrokerEvent event = answer(request, BrokerEventKind::kCancelAccepted);
      event.http_status = http_status;
      return event;
    }
    const bool sends = request.kind == RequestKind::kSubmit || request.kind == RequestKind::kReplace;
    BrokerEvent event = answer(request, sends ? BrokerEventKind::kSubmitAccepted : BrokerEventKind::kLookupFound);
    BrokerOrder order;
    // An answer to another order than the one asked about proves nothing about ours.
    if (parse_order(body, order) != ParseResult::kOk || !(order.client_order_id == request.client_order_id)) {
      return lost_answer(request, "the broker's answer cannot be read");
    }
    event.order = order;
    event.http_status = http_status;
    return event;
  }
  const BrokerError error = parse_error(body);
  // 408 and 5xx: the broker, or something before it, gave up half-way; the order may exist.
  const bool unclear = http_status >= 500 || http_status == 408 || http_status < 200;
  BrokerEvent event = answer(request, unclear ? lost_kind(request.kind) : refused_kind(request, http_status, error));
  event.http_status = http_status;
  event.code = error.code;
  event.text = error.text;
  return event;
}

}  // namespace tradewind
