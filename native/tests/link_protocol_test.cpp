// The link's pure parts: numbers, times, JSON, the broker's words, request bytes, the budget.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tradewind/link/json_reader.hpp"
#include "tradewind/link/protocol.hpp"
#include "tradewind/link/rate_budget.hpp"
#include "tradewind/link/request_bytes.hpp"
#include "tradewind/link/timestamp.hpp"
#include "tradewind/link/wire_decimal.hpp"

namespace tradewind {
namespace {

TEST(Decimal, ReadsExactly) {
  EXPECT_EQ(read_decimal("0.1", 8), 10'000'000);
  EXPECT_EQ(read_decimal("-12.00000001", 8), -1'200'000'001);
  EXPECT_EQ(read_decimal("7", 9), 7'000'000'000);
  EXPECT_EQ(read_decimal("1.5000000000000", 8), 150'000'000) << "zeros beyond the scale say nothing";
  EXPECT_EQ(read_decimal("92233720368.54775807", 8), std::numeric_limits<std::int64_t>::max());
}

TEST(Decimal, RefusesWhatItCannotHold) {
  for (const char* text : {"", "-", ".", "1.", ".5", "1e5", "+1", " 1", "1 ", "0x1", "1,5", "1.2.3", "1.000000001",
                           "92233720368.54775808", "99999999999999999999999999", "NaN", "--1"}) {
    EXPECT_FALSE(read_decimal(text, 8).has_value()) << text;
  }
}

TEST(Decimal, RoundsAveragesHalfToEven) {
  EXPECT_EQ(read_decimal("0.000000005", 8, Excess::kRoundEven), 0);
  EXPECT_EQ(read_decimal("0.000000015", 8, Excess::kRoundEven), 2);
  EXPECT_EQ(read_decimal("0.0000000050001", 8, Excess::kRoundEven), 1);
  EXPECT_EQ(read_decimal("-0.000000015", 8, Excess::kRoundEven), -2);
  EXPECT_EQ(read_decimal("0.0000000149999999999", 8, Excess::kRoundEven), 1);
}

TEST(Decimal, WritesWhatItReads) {
  std::mt19937_64 random(7);
  char text[kDecimalWidth];
  for (int i = 0; i < 20'000; ++i) {
    const auto raw = static_cast<std::int64_t>(random()) >> (random() % 60);
    for (const int digits : {8, 9}) {
      const std::string_view written(text, write_decimal(text, raw, digits));
      EXPECT_EQ(read_decimal(written, digits), raw) << written;
      EXPECT_TRUE(written.find('.') == written.npos || written.back() != '0') << written;
    }
  }
  EXPECT_EQ(std::string(text, write_decimal(text, 19'050'000'000, 8)), "190.5");
  EXPECT_EQ(std::string(text, write_decimal(text, 0, 8)), "0");
  EXPECT_EQ(std::string(text, write_decimal(text, std::numeric_limits<std::int64_t>::min(), 8)),
            "-92233720368.54775808");
}

TEST(Timestamp, ReadsEveryOffset) {
  // Oracle: date -u -d TEXT +%s%N
  EXPECT_EQ(parse_rfc3339("2024-02-29T23:59:59.123456789Z"), 1'709'251'199'123'456'789);
  EXPECT_EQ(parse_rfc3339("2024-02-29T18:59:59-05:00"), 1'709'251'199'000'000'000);
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00+00:00"), 0);
  for (const char* text : {"", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01",
                           "2024-01-01T00:00:00.5", "2024-01-01T00:00:00Zx", "2024-01-01T00:00:00+5:00"}) {
    EXPECT_FALSE(parse_rfc3339(text).has_value()) << text;
  }
}

TEST(Timestamp, WritesWhatItReads) {
  for (const Time time : {Time{0}, Time{1'709'251'199'123'456'789}, Time{-1}, Time{951'782'400'000'000'000}}) {
    EXPECT_EQ(parse_rfc3339(format_rfc3339(time)), time) << format_rfc3339(time);
  }
}

TEST(Json, DecodesEscapesAndCutsBetweenCharacters) {
  char out[8];
  std::size_t written = 0;
  EXPECT_EQ(json_unescape(R"(a\"\\\/\n)", out, 8, &written), 5U);
  EXPECT_EQ(std::string(out, written), "a\"\\/\n");
  EXPECT_EQ(json_unescape(R"(\u00e9\ud83d\ude00)", out, 8, &written), 6U);
  EXPECT_EQ(std::string(out, written), "\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(json_unescape("1234567\xC3\xA9", out, 8, &written), 9U);
  EXPECT_EQ(written, 7U) << "half a character is none";
  for (const char* bad : {"\\", "\\x", "\\u12", "\\ud83d", "\\ud83d\\u0041", "\\udc00"}) {
    EXPECT_FALSE(json_unescape(bad, out, 8, &written).has_value()) << bad;
  }
}

TEST(Json, RefusesNestingWithoutEnd) {
  const std::string deep(100'000, '[');
  JsonReader reader(deep);
  EXPECT_FALSE(reader.skip_value());
}

const char* const kOrder =
    R"({"id":"b-1","client_order_id":"c-1","symbol":"BTC\/USD","asset_class":"crypto","qty":"1.000000001",)"
    R"("filled_qty":"0.5","filled_avg_price":"27123.123456785","limit_price":null,"side":"sell","status":"partially_filled",)"
    R"("legs":[{"id":"other","status":"filled"}],"submitted_at":"2024-01-02T15:04:05Z"})";

TEST(Protocol, ReadsAnOrder) {
  BrokerOrder order;
  std::string submitted;
  ASSERT_EQ(parse_order(kOrder, order, &submitted), ParseResult::kOk);
  EXPECT_EQ(order.broker_order_id.view(), "b-1") << "a leg's id is not the order's";
  EXPECT_EQ(order.symbol.view(), "BTC/USD");
  EXPECT_EQ(order.side, Side::kSell);
  EXPECT_EQ(order.state, OrderState::kPartiallyFilled);
  EXPECT_EQ(order.quantity.raw, 1'000'000'001);
  EXPECT_EQ(order.filled.raw, 500'000'000);
  EXPECT_EQ(order.filled_avg_price.raw, 2'712'312'345'678);  // ...6785 rounds to the even 8
  EXPECT_EQ(submitted, "2024-01-02T15:04:05Z");
}

TEST(Protocol, EveryStatusOfTheBrokerHasAState) {
  const std::pair<const char*, OrderState> table[] = {
      {"new", OrderState::kAccepted},
      {"accepted", OrderState::kAccepted},
      {"pending_new", OrderState::kAccepted},
      {"held", OrderState::kAccepted},
      {"done_for_day", OrderState::kAccepted},
      {"stopped", OrderState::kAccepted},
      {"suspended", OrderState::kAccepted},
      {"calculated", OrderState::kAccepted},
      {"accepted_for_bidding", OrderState::kAccepted},
      {"partially_filled", OrderState::kPartiallyFilled},
      {"filled", OrderState::kFilled},
      {"canceled", OrderState::kCanceled},
      {"expired", OrderState::kExpired},
      {"replaced", OrderState::kReplaced},
      {"rejected", OrderState::kRejected},
      {"pending_cancel", OrderState::kPendingCancel},
      {"pending_replace", OrderState::kPendingReplace},
      {"a status of next year", OrderState::kAccepted},
  };
  for (const auto& [status, state] : table) EXPECT_EQ(order_state(status), state) << status;
}

TEST(Protocol, AnotherProgramsOrderIsNotMistakenForOurs) {
  BrokerOrder order;
  const std::string long_id(100, 'x');
  EXPECT_EQ(parse_order(R"({"id":"b","client_order_id":")" + long_id + R"(","symbol":"A","status":"new"})", order),
            ParseResult::kOk);
  EXPECT_TRUE(order.client_order_id.empty());
  EXPECT_EQ(parse_order(R"({"id":"b","client_order_id":"c","symbol":"AAPL240119C00190000","status":"new"})", order),
            ParseResult::kForeign);
}

TEST(Protocol, AnErrorWithoutACodeStillHasItsText) {
  EXPECT_EQ(parse_error(R"({"message":"unauthorized."})").text.view(), "unauthorized.");
  EXPECT_EQ(parse_error("<html>").code, 0);
  EXPECT_EQ(parse_error(R"({"code":40310000,"message":")" + std::string(500, 'm') + "\"}").text.view().size(), 200U);
}

const std::string kFill =
    R"({"stream":"trade_updates","data":{"event":"fill","event_id":12,"execution_id":"e","timestamp":"2024-01-02T15:04:05Z",)"
    R"("price":"1.5","qty":"0.5","position_qty":"0.5","order":)" +
    std::string(kOrder) + "}}";

TEST(Protocol, ReadsStreamMessagesWhateverTheOrderOfTheirKeys) {
  StreamMessage message;
  ASSERT_EQ(parse_stream_message(kFill, message), ParseResult::kOk);
  EXPECT_EQ(message.kind, StreamMessage::Kind::kTradeUpdate);
  EXPECT_EQ(message.event.stream_id, 12U);
  EXPECT_EQ(message.event.execution_quantity.raw, 500'000'000);
  ASSERT_EQ(
      parse_stream_message(R"({"data":{"streams":["trade_updates"],"event_id":9},"stream":"listening"})", message),
      ParseResult::kOk);
  EXPECT_EQ(message.kind, StreamMessage::Kind::kListening);
  EXPECT_EQ(message.event_id, 9U);
  ASSERT_EQ(parse_stream_message(R"({"stream":"authorization","data":{"status":"unauthorized"}})", message),
            ParseResult::kOk);
  EXPECT_EQ(message.kind, StreamMessage::Kind::kUnauthorized);
}

TEST(Protocol, AFillWithoutItsExecutionIsMalformed) {
  std::string frame = kFill;
  frame.replace(frame.find(R"("qty":"0.5",)", frame.find("price")), 12, "");
  StreamMessage message;
  EXPECT_EQ(parse_stream_message(frame, message), ParseResult::kMalformed);
}

// Cuts, swaps and duplicates bytes: whatever comes out must be read or refused, and a whole message never half-read.
TEST(Protocol, MutatedInputsNeverCrash) {
  std::mt19937_64 random(2024);
  const std::string positions = R"([{"symbol":"A","qty":"-1.5","side":"short","avg_entry_price":"3.25"}])";
  const std::string account = R"({"cash":"1","equity":"2.5","buying_power":"3","extra":{"a":[1,2,{"b":null}]}})";
  const std::string sources[] = {kFill, kOrder, positions, account, std::string("[") + kOrder + "]"};
  std::size_t refused = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string text = sources[random() % std::size(sources)];
    for (std::uint64_t edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text.resize(at + 1);
          break;
        case 1:
          text[at] = static_cast<char>(random() % 256);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
          break;
        default:
          text.erase(at, 1 + random() % 5);
          break;
      }
      if (text.empty()) text.assign(1, '{');
    }
    // A heap copy of exactly this size lets a sanitizer see the first byte read beyond it.
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    StreamMessage message;
    BrokerOrder order;
    BrokerEvent event;
    OrdersPage page;
    const EventVisitor ignore = [](const BrokerEvent&) {};
    const bool whole = parse_stream_message(view, message) == ParseResult::kOk;
    (void)parse_order(view, order);
    (void)parse_account(view, event);
    (void)parse_positions(view, ignore);
    (void)parse_orders(view, ignore, page);
    (void)parse_error(view);
    refused += whole ? 0 : 1;
  }
  EXPECT_GT(refused, 3'000U);
}

TEST(Protocol, EveryTruncationIsMalformed) {
  for (std::size_t size = 0; size < kFill.size(); ++size) {
    StreamMessage message;
    EXPECT_EQ(parse_stream_message(std::string_view(kFill).substr(0, size), message), ParseResult::kMalformed) << size;
  }
}

BrokerRequest market_order(const std::string& id, std::int64_t quantity) {
  BrokerRequest request;
  request.kind = RequestKind::kSubmit;
  request.client_order_id.assign(id);
  request.symbol.assign("BRK.B");
  request.side = Side::kSell;
  request.order_type = OrderType::kMarket;
  request.time_in_force = TimeInForce::kGtc;
  request.quantity.raw = quantity;
  return request;
}

TEST(RequestBytes, TheLengthOfAnOrderNeverChanges) {
  RequestBytes bytes(parse_endpoint("https://h:8443/base/", "url", false), "key", "secret");
  RequestBuffer buffer;
  const std::string small(bytes.write(market_order("a", 1), buffer));
  const std::string large(
      bytes.write(market_order(std::string(48, 'z'), std::numeric_limits<std::int64_t>::max()), buffer));
  EXPECT_EQ(small.size(), large.size());
  EXPECT_EQ(small.rfind("POST /base/v2/orders HTTP/1.1\r\nHost: h:8443\r\n", 0), 0U) << small;
  const std::size_t head = small.find("\r\n\r\n") + 4;
  EXPECT_NE(small.find("Content-Length: " + std::to_string(small.size() - head) + "\r\n"), std::string::npos) << small;
  EXPECT_NE(small.find(R"("qty":"0.000000001")"), std::string::npos) << small;
  EXPECT_NE(large.find(R"("qty":"9223372036.854775807")"), std::string::npos) << large;
  JsonReader reader(std::string_view(large).substr(head));
  EXPECT_TRUE(reader.skip_value() && reader.at_end()) << large.substr(head);
}

TEST(RequestBytes, OneOrderLeavesNothingInTheNext) {
  RequestBytes bytes(parse_endpoint("https://h", "url", false), "key", "secret");
  RequestBuffer buffer;
  (void)bytes.write(market_order("a-very-long-identifier", 123'456'789'000), buffer);
  const std::string next(bytes.write(market_order("b", 2'000'000'000), buffer));
  EXPECT_NE(next.find(R"("qty":"2" )"), std::string::npos) << next;
  EXPECT_NE(next.find(R"("client_order_id":"b" )"), std::string::npos) << next;
  EXPECT_EQ(next.find("identifier"), std::string::npos);
}

TEST(RequestBytes, AReplaceNamesTheOldOrderInItsPathAndTheNewOneInItsBody) {
  RequestBytes bytes(parse_endpoint("https://h:8443/base/", "url", false), "key", "secret");
  RequestBuffer buffer;
  BrokerRequest request = market_order("tw-2", 12'000'000'000);
  request.kind = RequestKind::kReplace;
  request.broker_order_id.assign("5d1c");
  request.order_type = OrderType::kLimit;
  request.limit_price.raw = 9'550'000'000;
  const std::string text(bytes.write(request, buffer));
  EXPECT_EQ(text.rfind("PATCH /base/v2/orders/5d1c HTTP/1.1\r\nHost: h:8443\r\n", 0), 0U) << text;
  const std::string body = R"({"qty":"12","limit_price":"95.5","client_order_id":"tw-2"})";
  EXPECT_NE(text.find("Content-Length: " + std::to_string(body.size()) + "\r\n"), std::string::npos) << text;
  EXPECT_EQ(text.substr(text.find("\r\n\r\n") + 4), body);
  request.quantity.raw = 500'000'000;  // half a share: only the price can change
  const std::string half(bytes.write(request, buffer));
  EXPECT_EQ(half.substr(half.find("\r\n\r\n") + 4), R"({"limit_price":"95.5","client_order_id":"tw-2"})");
  request.broker_order_id.assign("a/b");
  EXPECT_TRUE(bytes.write(request, buffer).empty());
}

TEST(Protocol, ALostOrRefusedReplaceIsToldOfTheNewOrder) {
  BrokerRequest request = market_order("tw-2", 1);
  request.kind = RequestKind::kReplace;
  EXPECT_EQ(lost_answer(request, "gone").kind, BrokerEventKind::kSubmitUnknown);
  EXPECT_EQ(never_sent(request, 0, 0, "no").kind, BrokerEventKind::kSubmitRejected);
  const BrokerEvent no = map_answer(request, 422, R"({"code":42210000,"message":"order parameters are not changed"})");
  EXPECT_EQ(no.kind, BrokerEventKind::kSubmitRejected);
  EXPECT_EQ(no.order.client_order_id.view(), "tw-2");
  EXPECT_EQ(map_answer(request, 500, "").kind, BrokerEventKind::kSubmitUnknown);
}

TEST(RequestBytes, RefusesWhatWouldChangeTheMessage) {
  RequestBytes bytes(parse_endpoint("https://h", "url", false), "key", "secret");
  RequestBuffer buffer;
  for (const char* id : {"", "a\"b", "a b", "a\r\nb", "a/b", "\xC3\xA9"}) {
    EXPECT_TRUE(bytes.write(market_order(id, 1), buffer).empty()) << id;
    BrokerRequest cancel;
    cancel.kind = RequestKind::kCancel;
    cancel.broker_order_id.assign(id);
    EXPECT_TRUE(bytes.write(cancel, buffer).empty()) << id;
  }
  EXPECT_TRUE(bytes.write(market_order("a", -1), buffer).empty());
}

TEST(RateBudget, RefillsAtItsRateAndKeepsRoomForCancels) {
  RateBudget budget(60, 10);
  std::int64_t now = 1'000'000'000;
  int orders = 0;
  while (budget.take(now, false)) ++orders;
  EXPECT_EQ(orders, 50);
  int cancels = 0;
  while (budget.take(now, true)) ++cancels;
  EXPECT_EQ(cancels, 10);
  now += 1'000'000'000;  // one token: a cancel's
  EXPECT_FALSE(budget.take(now, false));
  EXPECT_TRUE(budget.take(now, true));
  now += 3'600'000'000'000;
  orders = 0;
  while (budget.take(now, false)) ++orders;
  EXPECT_EQ(orders, 50) << "an hour fills no more than the bucket";
}

TEST(BrokerConfig, RefusesAddressesThatCannotBe) {
  for (const char* url : {"", "paper-api.alpaca.markets", "ftp://x", "https://", "https://h:0", "https://h:99999",
                          "https://h:x", "https://u:p@h", "https://h?x=1", "https://h y", "http://example.com"}) {
    EXPECT_THROW((void)parse_endpoint(url, "broker.url", false), LinkError) << url;
  }
  const Endpoint v6 = parse_endpoint("http://[::1]:80/x/", "broker.url", false);
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.path, "/x");
  EXPECT_EQ(v6.authority(), "[::1]");
}

}  // namespace
}  // namespace tradewind
