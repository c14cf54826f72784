// A small engine, a small deterministic broker, and a way to connect them, for the engine's tests.
#pragma once

#include "engine_broker.hpp"

namespace tradewind::testing {

// Engine and broker with a perfect line between them: every request is answered at once.
class Desk {
 public:
  explicit Desk(EngineConfig config) : engine(std::move(config)) { engine.reserve(outputs); }

  Engine engine;
  FakeBroker broker;
  Outputs outputs;
  Time now = kStart;
  std::vector<Record> records;      // everything said so far
  std::vector<BrokerRequest> sent;  // everything asked so far
  bool answering = true;            // false: requests pile up in `sent` only
  int intent_number = 0;

  template <class Body>
  void feed(const Body& body) {
    Input input;
    input.now = now;
    input.body = body;
    std::deque<Input> queue{input};
    while (!queue.empty()) {
      engine.step(queue.front(), outputs);
      queue.pop_front();
      const std::string broken = engine.check_invariants();
      ASSERT_EQ(broken, "");
      records.insert(records.end(), outputs.records.begin(), outputs.records.end());
      const std::vector<BrokerRequest> requests = outputs.requests;
      for (const BrokerRequest& request : requests) {
        sent.push_back(request);
        if (!answering) continue;
        for (const BrokerEvent& event : answer(request)) {
          Input next;
          next.now = now;
          next.body = event;
          queue.push_back(next);
        }
      }
    }
  }

  std::vector<BrokerEvent> answer(const BrokerRequest& request) {
    std::vector<BrokerEvent> events, stream;
    if (request.kind == RequestKind::kSubmit) events.push_back(broker.submit(request, stream));
    if (request.kind == RequestKind::kReplace) events.push_back(broker.replace(request, stream));
    if (request.kind == RequestKind::kCancel) events.push_back(broker.cancel(request, stream));
    if (request.kind == RequestKind::kLookup) events.push_back(broker.lookup(request));
    if (request.kind == RequestKind::kSnapshot) events = broker.snapshot(request);
    events.insert(events.end(), stream.begin(), stream.end());
    return events;
  }

  void event(BrokerEventKind kind) {
    BrokerEvent e;
    e.kind = kind;
    feed(e);
  }
  void connect() { event(BrokerEventKind::kLinkUp); }

  static BarUpdate bar_of(const std::string& symbol, Time time, double open, double close) {
    BarUpdate b;
    b.symbol = Symbol(symbol);
    b.event_time = time;
    b.open = dollars(open);
    b.close = dollars(close);
    b.high = std::max(b.open, b.close);
    b.low = std::min(b.open, b.close);
    b.volume = 1000;
    return b;
  }
  // The broker trades first, its messages arrive, then the bar.
  void bar(const std::string& symbol, double open, double close,
           std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
    const BarUpdate b = bar_of(symbol, now, open, close);
    std::vector<BrokerEvent> stream;
    broker.trade(b, stream, most);
    for (const BrokerEvent& e : stream) feed(e);
    feed(b);
  }
  void bar(const std::string& symbol, double price) { bar(symbol, price, price); }

  Intent intent_of(const std::string& strategy, const std::string& symbol, std::int64_t target) {
    Intent i;
    i.id = IntentId("i" + std::to_string(++intent_number));
    i.strategy = StrategyId(strategy);
    i.symbol = Symbol(symbol);
    i.target = shares(target);
    i.decision_time = now;
    i.valid_until = now + 60 * kSecond;
    return i;
  }
  IntentId want(const std::string& strategy, const std::string& symbol, std::int64_t target) {
    const Intent i = intent_of(strategy, symbol, target);
    feed(i);
    return i.id;
  }
  void flush() {
    Control c;
    c.kind = ControlKind::kFlush;
    feed(c);
  }
  void halt(bool flatten) {
    Control c;
    c.kind = ControlKind::kHalt;
    c.issued_by = ShortText("ada");
    c.reason = ShortText("test");
    c.flatten = flatten;
    feed(c);
  }
  void resume(const std::string& by) {
    Control c;
    c.kind = ControlKind::kResume;
    c.issued_by = ShortText(by);
    feed(c);
  }

  std::int64_t position(const std::string& symbol, const std::string& strategy = "") const {
    std::vector<PositionRecord> all;
    engine.positions(all);
    for (const auto& p : all) {
      if (p.symbol.view() == symbol && p.strategy.view() == strategy) return p.quantity.raw / kShare;
    }
    return 0;
  }
  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const Record& r : records) {
      if (const T* t = std::get_if<T>(&r)) found.push_back(*t);
    }
    return found;
  }
  std::vector<IntentVerdict> verdicts(const IntentId& id) const {
    std::vector<IntentVerdict> found;
    for (const auto& v : all<IntentVerdict>()) {
      if (v.intent == id) found.push_back(v);
    }
    return found;
  }
  std::vector<BrokerRequest> requests(RequestKind kind) const {
    std::vector<BrokerRequest> found;
    for (const auto& r : sent) {
      if (r.kind == kind) found.push_back(r);
    }
    return found;
  }
};

}  // namespace tradewind::testing
