// Alpaca's answers and stream frames: the first byte says which. No text crashes a parser; white space around it
// changes nothing; a text cut short is never taken for a whole one; what an event says fits its type.
#include <string>
#include <vector>

#include "property.hpp"
#include "tradewind/link/protocol.hpp"

namespace {

using namespace tradewind;

void check_order(const BrokerOrder& order) {
  TRADEWIND_MUST(!order.broker_order_id.empty());
  TRADEWIND_MUST(order.state != OrderState::kNone && order.state <= OrderState::kRejected);
  TRADEWIND_MUST(order.side <= Side::kSell);
}

ParseResult read_frame(std::string_view text) {
  StreamMessage message;
  const ParseResult result = parse_stream_message(text, message);
  if (result == ParseResult::kOk && message.kind == StreamMessage::Kind::kTradeUpdate) {
    TRADEWIND_MUST(message.event.kind == BrokerEventKind::kTradeUpdate);
    check_order(message.event.order);
  }
  return result;
}

ParseResult read_order(std::string_view text) {
  BrokerOrder order;
  std::string submitted_at;
  const ParseResult result = parse_order(text, order, &submitted_at);
  if (result == ParseResult::kOk) check_order(order);
  return result;
}

ParseResult read_orders(std::string_view text) {
  OrdersPage page;
  std::size_t visited = 0;
  const auto result = parse_orders(
      text,
      [&](const BrokerEvent& event) {
        TRADEWIND_MUST(event.kind == BrokerEventKind::kSnapshotOrder);
        check_order(event.order);
        ++visited;
      },
      page);
  TRADEWIND_MUST(result == ParseResult::kMalformed || visited <= page.rows);
  return result;
}

ParseResult read_positions(std::string_view text) {
  return parse_positions(text, [](const BrokerEvent& event) {
    TRADEWIND_MUST(event.kind == BrokerEventKind::kPosition && !event.order.symbol.empty());
  });
}

ParseResult read_account(std::string_view text) {
  BrokerEvent event;
  return parse_account(text, event);
}

// Every status for every kind of request: an answer that is no answer leaves the request's fate unknown, never done.
void answer(std::string_view text) {
  for (const RequestKind kind : {RequestKind::kSubmit, RequestKind::kCancel, RequestKind::kLookup}) {
    BrokerRequest request;
    request.kind = kind;
    request.request_id = 7;
    request.client_order_id = ClientOrderId("c-1");
    for (const int status : {200, 201, 204, 207, 301, 400, 401, 403, 404, 409, 422, 500, 504}) {
      const BrokerEvent event = map_answer(request, status, text);
      TRADEWIND_MUST(event.request_id == 7 && event.kind != BrokerEventKind::kNone);
      TRADEWIND_MUST(event.kind <= BrokerEventKind::kLookupFailed);
      if (event.kind == BrokerEventKind::kSubmitAccepted || event.kind == BrokerEventKind::kLookupFound) {
        TRADEWIND_MUST(status / 100 == 2);
        check_order(event.order);
      }
      if (status >= 500) {
        TRADEWIND_MUST(event.kind == BrokerEventKind::kSubmitUnknown || event.kind == BrokerEventKind::kCancelUnknown ||
                       event.kind == BrokerEventKind::kLookupFailed);
      }
    }
  }
}

using Parser = ParseResult (*)(std::string_view);
constexpr Parser kParsers[] = {read_frame, read_order, read_orders, read_positions, read_account};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  const std::size_t which = data[0] % 8;
  if (which >= std::size(kParsers)) {
    answer(text);
    static_cast<void>(parse_error(text));
    return 0;
  }
  const ParseResult result = kParsers[which](text);
  TRADEWIND_MUST(kParsers[which](" \n" + std::string(text) + "\t ") == result);
  if (result == ParseResult::kMalformed) return 0;
  const std::string_view cut = text.substr(0, text.find_last_not_of(" \t\r\n"));  // without its last bracket
  TRADEWIND_MUST(kParsers[which](cut) == ParseResult::kMalformed);
  TRADEWIND_MUST(kParsers[which](cut.substr(0, cut.size() / 2)) == ParseResult::kMalformed);
  return 0;
}
