// The order lifecycle: the document shows the code's table, and the engine reaches every cell of it.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine_fixture.hpp"
#include "tradewind/engine/lifecycle.hpp"

namespace tradewind::testing {
namespace {

using S = OrderState;
using E = OrderEvent;

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> found;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const auto from = cell.find_first_not_of(' '), to = cell.find_last_not_of(' ');
    found.push_back(from == std::string::npos ? "" : cell.substr(from, to - from + 1));
  }
  return found;
}

TEST(Lifecycle, TheDocumentsTableIsTheCodes) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../docs/order-lifecycle.md";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::vector<std::string> events;
  std::map<std::string, std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| state |"))
      events = cells(line);
    else if (!events.empty() && line.starts_with("| ") && rows.size() < kOrderStateCount - 1)
      rows[cells(line)[0]] = cells(line);
  }
  ASSERT_EQ(events.size(), kOrderEventCount + 1);
  ASSERT_EQ(rows.size(), kOrderStateCount - 1);
  for (std::size_t s = 1; s < kOrderStateCount; ++s) {
    const S state = static_cast<S>(s);
    const std::string name = std::string(to_string(state)) + (is_terminal(state) ? " (final)" : "");
    ASSERT_TRUE(rows.contains(name)) << name;
    for (std::size_t e = 0; e < kOrderEventCount; ++e) {
      EXPECT_EQ(events[e + 1], kOrderEventNames[e]);
      const S next = transition(state, static_cast<E>(e));
      const std::string said = next == S::kNone ? "–" : next == state ? "stays" : std::string(to_string(next));
      EXPECT_EQ(rows[name].at(e + 1), said) << name << ", " << kOrderEventNames[e];
    }
  }
}

// One limit order for 10 shares, brought into a state by hand, and what happens to it then.
class Life {
 public:
  explicit Life(S state) : d_(config_of({"IBM"}, {"a"})) {
    d_.connect();
    d_.bar("IBM", 100);
    d_.answering = false;
    want(10, 95);
    id_ = d_.requests(RequestKind::kSubmit).at(0).client_order_id;
    if (state == S::kUnknown) answer(BrokerEventKind::kSubmitUnknown);
    if (state == S::kSubmitted || state == S::kUnknown) return;
    update(S::kAccepted, 0);
    if (state == S::kPartiallyFilled) update(S::kPartiallyFilled, 4);
    if (state == S::kPendingCancel || state == S::kPendingReplace) want(12, state == S::kPendingReplace ? 96 : 0);
    if (is_terminal(state)) update(state, state == S::kFilled ? 10 : 0);
  }

  void happen(E event) {
    switch (event) {
      case E::kSend:
        return;
      case E::kAnswerLost:
        return answer(BrokerEventKind::kSubmitUnknown);
      case E::kResend:
        return answer(BrokerEventKind::kLookupMissing);
      case E::kWorking:
        return update(S::kAccepted, 0);
      case E::kPartialFill:
        return update(S::kPartiallyFilled, state() == S::kFilled ? 11 : 5);  // more than was ordered
      case E::kFill:
        return update(S::kFilled, 10);
      case E::kCancelSent:
        return d_.halt(false);
      case E::kCanceled:
        return update(S::kCanceled, 0);
      case E::kExpired:
        return update(S::kExpired, 0);
      case E::kReplaceSent:
        return want(14, 97);
      case E::kReplaced:
        return update(S::kReplaced, 0);
      case E::kRejected:
        return update(S::kRejected, 0);
      case E::kNeverArrived:
        d_.halt(false);
        return answer(BrokerEventKind::kLookupMissing);
      case E::kReplaceRefused: {
        BrokerEvent no;
        no.kind = BrokerEventKind::kSubmitRejected;
        no.order.client_order_id = d_.requests(RequestKind::kReplace).at(0).client_order_id;
        return d_.feed(no);
      }
    }
  }
  [[nodiscard]] std::uint64_t count(S state, E event) const {
    return d_.engine.counts().transitions[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
  }
  [[nodiscard]] S state() const {
    S last = S::kNone;
    for (const auto& r : d_.all<OrderRecord>()) last = r.client_order_id == id_ ? r.state : last;
    return last;
  }
  // A cancel that finds a replace on its way.
  void replace_then_cancel() {
    want(12, 96);
    d_.halt(false);
  }

 private:
  void want(std::int64_t target, double price) {
    d_.now += kSecond;
    Intent i = d_.intent_of("a", "IBM", target);
    i.order_type = price > 0 ? OrderType::kLimit : OrderType::kMarket;
    i.limit_price = dollars(price);
    d_.feed(i);
    d_.flush();
  }
  void answer(BrokerEventKind kind) {
    BrokerEvent e;
    e.kind = kind;
    e.order.client_order_id = id_;
    d_.feed(e);
  }
  void update(S state, std::int64_t filled) {
    BrokerEvent e;
    e.kind = BrokerEventKind::kTradeUpdate;
    e.order.client_order_id = id_;
    e.order.broker_order_id = BrokerOrderId("b1");
    e.order.symbol = Symbol("IBM");
    e.order.side = Side::kBuy;
    e.order.state = state;
    e.order.live = true;
    e.order.quantity = shares(10);
    e.order.filled = shares(filled);
    e.order.filled_avg_price = dollars(95);
    d_.feed(e);
  }

  Desk d_;
  ClientOrderId id_;
};

TEST(Lifecycle, TheEngineReachesEveryCell) {
  int reached = 0;
  for (std::size_t s = 1; s < kOrderStateCount; ++s) {
    for (std::size_t e = 0; e < kOrderEventCount; ++e) {
      const S state = static_cast<S>(s);
      const E event = static_cast<E>(e);
      const S next = transition(state, event);
      if (next == S::kNone) continue;
      const bool both = state == S::kPendingCancel && event == E::kReplaceRefused;
      Life life(both ? S::kAccepted : state == S::kCreated ? S::kSubmitted : state);
      if (both) life.replace_then_cancel();
      ASSERT_EQ(life.state(), state == S::kCreated ? S::kSubmitted : state);
      const std::uint64_t before = state == S::kCreated ? 0 : life.count(state, event);
      life.happen(event);
      EXPECT_GT(life.count(state, event), before) << to_string(state) << ", " << kOrderEventNames[e];
      ++reached;
    }
  }
  EXPECT_EQ(reached, 93);
}

}  // namespace
}  // namespace tradewind::testing
