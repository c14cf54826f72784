// Seeded random days with a broker line that loses, doubles and delays everything: the invariants hold after every
// input, and once the line is quiet the books are the broker's.
#include <random>

#include "engine_fixture.hpp"

namespace tradewind::testing {
namespace {

class Storm {
 public:
  explicit Storm(std::uint64_t seed) : random_(seed), engine_(make_config()) {
    engine_.reserve(outputs_);
    link(BrokerEventKind::kLinkUp);
  }

  void run(int events) {
    for (int i = 0; i < events && fault_.empty(); ++i) {
      now_ += static_cast<Time>(random_() % 3) * kSecond / 2;
      switch (random_() % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
          bar();
          break;
        case 4:
        case 5:
        case 6:
          intent();
          break;
        case 7:
        case 8:
          control(ControlKind::kFlush);
          break;
        case 9:
          if (random_() % 8 == 0) drop_link();
          break;
        case 10:
          feed(TimeUpdate{});
          break;
        case 11:
          if (random_() % 40 == 0) control(ControlKind::kHalt, random_() % 2 == 0);
          break;
        case 12:
          if (engine_.kill_switch() && random_() % 3 == 0) control(ControlKind::kResume);
          break;
        default:
          deliver();
          break;
      }
    }
  }

  // The line is good from here on: everything that is under way arrives, every order ends.
  void settle() {
    lossy_ = false;
    link(BrokerEventKind::kLinkDown);
    link(BrokerEventKind::kLinkUp);
    for (int i = 0; i < 400 && fault_.empty(); ++i) {
      while (!queue_.empty() && fault_.empty()) deliver();
      now_ += 2 * kSecond;
      for (const char* s : {"AAA", "IBM"}) bar_of(s);
      feed(TimeUpdate{});
      control(ControlKind::kFlush);
      if (i > 20 && engine_.working_orders() == 0 && engine_.pending_requests() == 0 && queue_.empty()) break;
    }
  }

  std::string verdict() {
    if (!fault_.empty()) return fault_;
    if (!broker_.faults.empty()) return broker_.faults.front();
    if (engine_.working_orders() != 0) return "an order never ended";
    std::vector<PositionRecord> positions;
    engine_.positions(positions);
    std::map<std::string, std::int64_t> account, sum;
    for (const auto& p : positions) (p.strategy.empty() ? account : sum)[p.symbol.str()] += p.quantity.raw;
    for (const char* s : {"AAA", "IBM"}) {
      if (account[s] != broker_.positions[s]) return std::string(s) + ": the books are not the broker's";
      if (sum[s] != broker_.positions[s]) return std::string(s) + ": the sub-books are not the broker's";
    }
    if (std::abs(engine_.account().cash.raw - broker_.cash.raw) > dollars(0.01).raw) return "cash is not the broker's";
    for (const auto& [id, verdicts] : verdicts_) {
      if (verdicts != 1) return "intent " + id + " has " + std::to_string(verdicts) + " verdicts";
    }
    for (const auto& [id, fed] : fed_) {
      if (!verdicts_.contains(id)) return "intent " + id + " is lost";
    }
    return "";
  }
  [[nodiscard]] int replaced() const { return broker_.replaced; }
  [[nodiscard]] int fills() const { return static_cast<int>(broker_.executions); }
  [[nodiscard]] int resent() const {
    int count = 0;
    for (const auto& [id, times] : asked_) count += times > 1 ? 1 : 0;
    return count;
  }

 private:
  static EngineConfig make_config() {
    EngineConfig c = config_of({"AAA", "IBM"}, {"a", "b", "c"});
    c.limits.max_position = 200'000;
    c.limits.max_gross = 300'000;
    c.limits.max_orders_per_minute = 60;
    c.max_orders = 20;  // old orders are forgotten and their slots used again
    c.max_intents = 64;
    return c;
  }

  template <class Body>
  void feed(const Body& body) {
    if (!fault_.empty()) return;
    Input input;
    input.now = now_;
    input.body = body;
    engine_.step(input, outputs_);
    if (const std::string broken = engine_.check_invariants(); !broken.empty()) fault_ = broken;
    for (const Record& r : outputs_.records) {
      if (const auto* v = std::get_if<IntentVerdict>(&r); v != nullptr && v->slice == 0) ++verdicts_[v->intent.str()];
    }
    const auto requests = outputs_.requests;
    for (const BrokerRequest& r : requests) send(r);
  }

  void send(const BrokerRequest& r) {
    std::vector<BrokerEvent> stream;
    const bool lost = lossy_ && random_() % 8 == 0;  // the request
    const bool mute = lossy_ && random_() % 8 == 0;  // the answer
    const auto unknown = [&](BrokerEventKind kind) { queue(broker_.answer(kind, r)); };
    if (r.kind == RequestKind::kSubmit) {
      ++asked_[r.client_order_id.str()];
      if (lost)
        unknown(BrokerEventKind::kSubmitUnknown);
      else {
        const BrokerEvent answer = broker_.submit(r, stream);
        if (mute)
          unknown(BrokerEventKind::kSubmitUnknown);
        else
          queue(answer);
      }
    } else if (r.kind == RequestKind::kReplace) {
      broker_.slow_replaces = random_() % 2 == 0;
      const BrokerEvent lost_answer = broker_.answer(BrokerEventKind::kSubmitUnknown, r);
      const BrokerEvent answer = lost ? lost_answer : broker_.replace(r, stream);
      queue(mute ? lost_answer : answer);
    } else if (r.kind == RequestKind::kCancel) {
      const BrokerEvent answer = lost ? broker_.answer(BrokerEventKind::kCancelUnknown, r) : broker_.cancel(r, stream);
      queue(mute ? broker_.answer(BrokerEventKind::kCancelUnknown, r) : answer);
    } else if (r.kind == RequestKind::kLookup) {
      queue(lost ? broker_.answer(BrokerEventKind::kLookupFailed, r) : broker_.lookup(r));
    } else if (lost) {
      unknown(BrokerEventKind::kSnapshotFailed);
    } else {
      // A snapshot arrives in one piece and in order, behind what the link read before it.
      for (const BrokerEvent& e : broker_.snapshot(r)) ordered_.push_back(e);
      flush_ordered();
    }
    publish(stream);
  }

  void flush_ordered() {
    while (!ordered_.empty()) {
      queue_.push_back(ordered_.front());
      ordered_.pop_front();
    }
  }

  void publish(const std::vector<BrokerEvent>& stream) {
    for (const BrokerEvent& e : stream) {
      if (!stream_up_) continue;  // nobody listens: found again by the snapshot
      queue(e);
      if (lossy_ && random_() % 6 == 0) queue(e);  // twice
    }
  }

  // Somewhere among the last few that wait, but not before a snapshot's rows.
  void queue(const BrokerEvent& e) {
    std::size_t back = lossy_ ? random_() % 4 : 0;
    auto at = queue_.end();
    while (back-- > 0 && at != queue_.begin()) {
      const auto kind = std::prev(at)->kind;
      if (kind >= BrokerEventKind::kLinkUp) break;
      --at;
    }
    queue_.insert(at, e);
  }

  void deliver() {
    if (queue_.empty()) return;
    const BrokerEvent e = queue_.front();
    queue_.pop_front();
    feed(e);
  }

  void link(BrokerEventKind kind) {
    BrokerEvent e;
    e.kind = kind;
    stream_up_ = kind == BrokerEventKind::kLinkUp;
    feed(e);
  }

  void drop_link() {
    link(BrokerEventKind::kLinkDown);
    std::deque<BrokerEvent> rest;  // stream messages and snapshots on the wire are gone; REST answers are not
    for (const BrokerEvent& e : queue_) {
      if (e.kind != BrokerEventKind::kTradeUpdate && e.kind < BrokerEventKind::kLinkUp) rest.push_back(e);
    }
    queue_ = rest;
    for (std::uint64_t i = random_() % 4; i > 0; --i) bar();
    if (random_() % 2 == 0) queue_.clear();  // a restart: the answers are gone as well
    link(BrokerEventKind::kLinkUp);
  }

  void bar() { bar_of(random_() % 2 == 0 ? "AAA" : "IBM"); }
  void bar_of(const std::string& symbol) {
    now_ += kSecond;
    const double open = 90 + static_cast<double>(random_() % 2000) / 100;
    const BarUpdate b = Desk::bar_of(symbol, now_, open, open + static_cast<double>(random_() % 100) / 100);
    std::vector<BrokerEvent> stream;
    const std::int64_t most = random_() % 3 == 0 ? static_cast<std::int64_t>(1 + random_() % 50) * kShare
                                                 : std::numeric_limits<std::int64_t>::max();
    broker_.trade(b, stream, most);
    publish(stream);
    feed(b);
  }

  void intent() {
    Intent i;
    i.id = IntentId("i" + std::to_string(++number_));
    i.strategy = StrategyId(std::string(1, static_cast<char>('a' + random_() % 3)));
    i.symbol = Symbol(random_() % 2 == 0 ? "AAA" : "IBM");
    i.target = shares(static_cast<std::int64_t>(random_() % 9) * 100 - 400);
    i.decision_time = now_;
    i.valid_until = now_ + static_cast<Time>(random_() % 20) * kSecond;
    if (random_() % 2 == 0) {
      i.order_type = OrderType::kLimit;
      i.limit_price = dollars(95 + static_cast<double>(random_() % 10));
    }
    ++fed_[i.id.str()];
    feed(i);
    if (random_() % 5 == 0) feed(i);
    if (random_() % 3 != 0) control(ControlKind::kFlush);
  }

  void control(ControlKind kind, bool flatten = false) {
    Control c;
    c.kind = kind;
    c.issued_by = ShortText("ada");
    c.flatten = flatten;
    feed(c);
  }

  std::mt19937_64 random_;
  Engine engine_;
  FakeBroker broker_;
  Outputs outputs_;
  std::deque<BrokerEvent> queue_, ordered_;
  Time now_ = kStart;
  bool lossy_ = true;
  bool stream_up_ = true;
  int number_ = 0;
  std::map<std::string, int> verdicts_, fed_, asked_;
  std::string fault_;
};

TEST(Simulation, InvariantsHoldInEveryStorm) {
  int fills = 0, resent = 0, replaced = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Storm storm(seed);
    storm.run(200);
    storm.settle();
    ASSERT_EQ(storm.verdict(), "") << "seed " << seed;
    fills += storm.fills();
    resent += storm.resent();
    replaced += storm.replaced();
  }
  EXPECT_GT(fills, 10'000);  // the storms were not empty
  EXPECT_GT(resent, 500);
  EXPECT_GT(replaced, 400);
}

}  // namespace
}  // namespace tradewind::testing
