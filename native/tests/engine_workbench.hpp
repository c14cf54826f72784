// A desk whose minutes pass, for the tests of execution algorithms in the engine.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "engine_fixture.hpp"

namespace tradewind::testing {

using Slices = std::vector<std::int64_t>;

inline constexpr Time kMinute = 60 * kSecond;

inline ExecutionPlan plan_of(Algorithm algorithm, std::int64_t slices, std::int64_t participation = 0) {
  ExecutionPlan plan;
  plan.algorithm = algorithm;
  plan.interval = kMinute;
  plan.duration = slices * kMinute;
  plan.participation = participation;
  return plan;
}

// A desk whose minutes pass with a bar and the news of the time, as in a replay.
struct Workbench {
  Workbench() : d(config_of({"IBM"}, {"a", "b"})) {
    d.connect();
    d.bar("IBM", 100);
  }

  void minute(double price = 100, std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
    d.now += kMinute;
    d.bar("IBM", price, price, most);
    d.feed(TimeUpdate{});
  }
  Intent scheduled(const std::string& strategy, std::int64_t target, const ExecutionPlan& plan) {
    Intent i = d.intent_of(strategy, "IBM", target);
    i.valid_until = d.now + 600 * kMinute;
    i.plan = plan;
    return i;
  }
  void want(const Intent& intent) {
    d.feed(intent);
    d.flush();
  }
  std::vector<std::int64_t> quantities() const {  // of the orders sent, signed, in shares
    std::vector<std::int64_t> out;
    for (const auto& r : orders()) out.push_back((r.side == Side::kSell ? -1 : 1) * r.quantity.raw / kShare);
    return out;
  }
  std::vector<BrokerRequest> orders() const {  // sent, or put in the place of another
    std::vector<BrokerRequest> found;
    for (const auto& r : d.sent) {
      if (r.kind == RequestKind::kSubmit || r.kind == RequestKind::kReplace) found.push_back(r);
    }
    return found;
  }
  BrokerEvent ended(OrderState state) const {  // the broker ends the newest order
    const auto id = orders().back().client_order_id.str();
    BrokerEvent e = FakeBroker::update(d.broker.orders.at(id));
    e.order.state = state;
    return e;
  }

  Desk d;
};

}  // namespace tradewind::testing
