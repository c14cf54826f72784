// Shell: see trade_update_timing.hpp.
#include "tradewind/runtime/trade_update_timing.hpp"

#include <stdexcept>
#include <string>

#include "tradewind/journal/journal.hpp"
#include "tradewind/link/protocol.hpp"
#include "tradewind/link/rest_connection.hpp"

namespace tradewind {

namespace {

constexpr Time kNow = 1'700'000'000'000'000'000;
constexpr Money kPrice{100 * kMoneyScale};

class Desk {
 public:
  Desk(const EngineConfig& config, const std::filesystem::path& journal)
      : engine_(journal, config, SyncPolicy::kNone), symbol_(config.symbols.front().symbol) {
    feed<BrokerEvent>([](BrokerEvent& e) { e.kind = BrokerEventKind::kLinkUp; });
    feed<BrokerEvent>([](BrokerEvent& e) {
      e.kind = BrokerEventKind::kAccount;
      e.cash = e.equity = e.buying_power = Money{1'000'000 * kMoneyScale};
    });
    feed<BrokerEvent>([](BrokerEvent& e) { e.kind = BrokerEventKind::kSnapshotEnd; });
    feed<BarUpdate>([this](BarUpdate& bar) {
      bar.symbol = symbol_;
      bar.event_time = kNow;
      bar.open = bar.high = bar.low = bar.close = kPrice;
    });
    if (!engine_.engine().ready()) throw std::runtime_error("the engine of the benchmark is not ready");
  }

  // An order of one share, accepted by the broker; buys and sells by turns.
  BrokerRequest order(const EngineConfig& config, std::uint64_t number) {
    feed<Intent>([&](Intent& intent) {
      intent.id.assign("i" + std::to_string(number));
      intent.strategy = config.strategies.front().uid;
      intent.symbol = symbol_;
      intent.target = Quantity{number % 2 == 0 ? kQuantityScale : 0};
      intent.decision_time = now_;
      intent.valid_until = now_ + 1'000'000'000;
    });
    const Outputs& out = feed<Control>([](Control& control) { control.kind = ControlKind::kFlush; });
    if (out.requests.size() != 1) throw std::runtime_error("an intent of the benchmark became no order");
    const BrokerRequest request = out.requests.front();
    feed<BrokerEvent>([&](BrokerEvent& e) {
      e.kind = BrokerEventKind::kSubmitAccepted;
      e.request_id = request.request_id;
      e.order.client_order_id = request.client_order_id;
      e.order.broker_order_id.assign("b" + std::to_string(number));
      e.order.symbol = symbol_;
      e.order.side = request.side;
      e.order.quantity = request.quantity;
      e.order.state = OrderState::kAccepted;
    });
    return request;
  }

  void take(const BrokerEvent& event) {
    input_.body = event;
    step();
  }
  [[nodiscard]] std::uint64_t fills() const { return engine_.engine().counts().fills; }

 private:
  template <class Body, class Fill>
  const Outputs& feed(const Fill& fill) {
    fill(input_.body.emplace<Body>());
    return step();
  }
  const Outputs& step() {
    input_.now = now_ += 1'000;
    return engine_.step(input_);
  }

  DurableEngine engine_;
  Symbol symbol_;
  Input input_;
  Time now_ = kNow;
};

// All that Alpaca says with a fill.
[[nodiscard]] std::string frame_of(const BrokerRequest& order, std::uint64_t number) {
  const std::string at = "2026-11-20T15:30:00.123456789Z", id = "b" + std::to_string(number);
  const bool buy = order.side == Side::kBuy;
  return R"({"stream":"trade_updates","data":{"event":"fill","execution_id":"x)" + std::to_string(number) +
         R"(","timestamp":")" + at + R"(","price":"100","qty":"1","position_qty":")" + (buy ? "1" : "0") +
         R"(","order":{"id":")" + id + R"(","client_order_id":")" + order.client_order_id.str() +
         R"(","created_at":")" + at + R"(","updated_at":")" + at + R"(","submitted_at":")" + at + R"(","filled_at":")" +
         at + R"(","expired_at":null,"canceled_at":null,"failed_at":null,"replaced_at":null,)" +
         R"("replaced_by":null,"replaces":null,"asset_id":"b0b6dd9d-8b9b-48a9-ba46-b9d54906e415","symbol":")" +
         order.symbol.str() + R"(","asset_class":"us_equity","notional":null,"qty":"1","filled_qty":"1",)" +
         R"("filled_avg_price":"100","order_class":"","order_type":"market","type":"market","side":")" +
         (buy ? "buy" : "sell") +
         R"(","time_in_force":"day","limit_price":null,"stop_price":null,"status":"filled","extended_hours":false,)" +
         R"("legs":null,"trail_percent":null,"trail_price":null,"hwm":null}}})";
}

}  // namespace

void time_trade_updates(const EngineConfig& config, const std::filesystem::path& directory, std::uint64_t frames,
                        TradeUpdateTiming& timing) {
  EngineConfig own = config;
  validate(own);
  std::filesystem::create_directories(directory);
  Desk desk(own, directory / "executor.journal");
  for (std::uint64_t n = 0; n < frames; ++n) {
    const std::string frame = frame_of(desk.order(own, n), n);
    StreamMessage message;
    const std::int64_t begin = monotonic_ns();
    const bool good = parse_stream_message(frame, message) == ParseResult::kOk;
    const std::int64_t parsed = monotonic_ns();
    if (good) desk.take(message.event);
    const std::int64_t end = monotonic_ns();
    timing.parse.record(parsed - begin);
    timing.books.record(end - begin);
  }
  timing.fills = desk.fills();
  if (timing.fills != frames) throw std::runtime_error("not every frame of the benchmark moved the books");
}

}  // namespace tradewind
