// One seeded day of the real engine on its real journal, against the test broker, over lines that lose, delay, double
// and reorder, with a process that dies around its journal writes. After every event the books must be exactly what the
// broker has told so far; at the end, exactly what the broker has.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <random>
#include <sstream>

#include "simulation_intents.hpp"
#include "simulation_witness.hpp"

namespace tradewind::testing {

class Storm {
 public:
  explicit Storm(std::uint64_t seed)
      : random_(seed),
        path_(std::filesystem::temp_directory_path() /
              ("tradewind-storm-" + std::to_string(::getpid()) + "-" + std::to_string(seed))) {
    std::filesystem::remove(path_);
    config_ = storm_config(random_);
    open();
  }
  ~Storm() {
    engine_.reset();
    std::filesystem::remove(path_);
  }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  void run(int events) {
    for (int i = 0; i < events && fault_.empty(); ++i) {
      now_ += static_cast<Time>(random_() % 3) * kSecond / 2;
      act(random_() % 16);
      if (chance(200)) remove_a_strategy();
    }
  }

  // The line is good from here on: everything that is under way arrives, every order ends.
  void settle() {
    lossy_ = false;
    while (!late_.empty() && fault_.empty()) arrive_late();
    link(BrokerEventKind::kLinkDown);
    link(BrokerEventKind::kLinkUp);
    for (int i = 0; i < 400 && fault_.empty(); ++i) {
      while (!queue_.empty() && fault_.empty()) deliver();
      now_ += 2 * kSecond;
      for (const char* s : kStormSymbols) bar_of(s);
      feed(TimeUpdate{});
      control(ControlKind::kFlush);
      const bool idle = engine().working_orders() == 0 && engine().pending_requests() == 0 && queue_.empty();
      if (i > 20 && idle && (still_there().empty() || i > 100)) break;
    }
  }

  // Empty when everything held.
  std::string verdict() {
    if (!fault_.empty()) return fault_;
    if (!broker_.faults.empty()) return broker_.faults.front();
    if (engine().working_orders() != 0) return "an order never ended";
    if (const std::string rest = still_there(); !rest.empty()) return rest;
    for (const char* s : kStormSymbols) {
      if (witness_.delivered_position(s) != broker_.positions[s])
        return std::string(s) + ": the broker's last word is missing";
    }
    if (const std::string cash = witness_.check_cash(engine()); !cash.empty()) return cash;
    return Witness::check_journal(path_, fed_);
  }

  [[nodiscard]] Reached reached() const {
    Reached all = reached_;
    all["fill"] += broker_.executions;
    all["replaced"] += static_cast<std::uint64_t>(broker_.replaced);
    all["duplicate refused by the broker"] += static_cast<std::uint64_t>(broker_.duplicates_refused);
    for (const auto& [id, times] : asked_) all["order sent again"] += times > 1 ? 1 : 0;
    std::vector<Remains> left;
    engine().remains(left);
    all["deleted and flat"] += how_ == Leaving::kFlatten && left.at(0).positions == 0 ? 1 : 0;
    for (std::size_t c = 1; c < kRejectCodeCount; ++c) {
      all["code " + std::string(kRejectCodes[c].name)] += engine().counts().rejections[c];
    }
    return all;
  }
  // Equal for equal runs: every decision, book and fault.
  [[nodiscard]] std::string fingerprint() const {
    std::ostringstream text;
    text << engine().decision_hash() << engine().state_hash() << broker_.cash.raw << random_;
    return text.str();
  }

 private:
  enum class Death { kBeforeWrite, kTornWrite, kBeforeSend, kWhileSending };
  struct Died {};

  [[nodiscard]] const Engine& engine() const { return engine_->engine(); }
  bool chance(std::uint64_t one_in) { return random_() % one_in == 0; }

  void open() {
    engine_ = std::make_unique<DurableEngine>(path_, config_, SyncPolicy::kNone);
    if (!journaled_.empty() && engine().state_hash() != journaled_) fault_ = "the journal gave other books back";
    link(BrokerEventKind::kLinkUp);
  }

  // At most one a day, and two are left; now and then the process finds the new configuration when it starts.
  void remove_a_strategy() {
    if (how_ != Leaving::kNo || !fault_.empty()) return;
    how_ = static_cast<Leaving>(1 + random_() % 3);
    ++reached_["deleted " + std::to_string(static_cast<int>(how_))];
    StrategyConfig& gone = config_.strategies[random_() % config_.strategies.size()];
    gone.leaving = how_;
    if (how_ != Leaving::kKeep) witness_.deleted(gone.uid);
    if (!chance(4)) return engine_->reconfigure(config_);
    journaled_ = engine().state_hash();
    restart();
  }

  // What is left of the deleted strategy although nothing is in its way; empty: nothing.
  [[nodiscard]] std::string still_there() const {
    std::vector<Remains> all;
    engine().remains(all);
    if (all.empty() || how_ == Leaving::kKeep || engine().kill_switch()) return "";
    if (all[0].refused != RejectCode::kOk) return "";
    if (all[0].orders != 0) return "a deleted strategy still has an order";
    return how_ == Leaving::kFlatten && all[0].positions != 0 ? "a deleted strategy still has a position" : "";
  }

  void act(std::uint64_t what) {
    if (what < 4) return bar();
    if (what < 7) return intent();
    if (what < 9) return control(ControlKind::kFlush);
    if (what == 9) return chance(8) ? drop_link() : expire();
    if (what == 10) return late_.empty() ? feed(TimeUpdate{}) : arrive_late();
    if (what == 11 && chance(40)) {
      ++reached_["kill switch"];
      return control(ControlKind::kHalt, chance(2));
    }
    if (what == 12 && chance(3))
      return control(engine().kill_switch() || chance(2) ? ControlKind::kResume : ControlKind::kPause);
    deliver();
  }

  // ---- the process

  // One input; it comes from the bus again when the process dies before it is in the journal.
  template <class Body>
  void feed(const Body& body) {
    Input input;
    input.now = now_;
    input.body = body;
    constexpr bool bus = !std::is_same_v<Body, BrokerEvent> && !std::is_same_v<Body, TimeUpdate>;
    input.topic = bus ? 1 : 0;
    input.offset = bus ? next_offset_++ : -1;
    for (bool again = true; again && fault_.empty();) {
      try {
        take(input);
        again = false;
      } catch (const Died&) {
        restart();
        again = bus && engine().next_offset(1) <= input.offset;
      }
    }
  }

  void take(const Input& input) {
    if (!fault_.empty()) return;
    std::optional<Death> death;
    if (lossy_ && chance(60)) death = static_cast<Death>(random_() % 4);
    if (death) journaled_ = engine().state_hash();
    if (death == Death::kBeforeWrite) die("death before the journal's write");
    const std::uintmax_t size = death ? std::filesystem::file_size(path_) : 0;
    const Outputs& out = engine_->step(input);
    if (death == Death::kTornWrite) {
      const std::uintmax_t written = std::filesystem::file_size(path_) - size;
      engine_.reset();
      std::filesystem::resize_file(path_, size + random_() % written);
      die("death in the journal's write");
    }
    witness_.told(input);
    fault_ = witness_.check(engine(), out);
    if (death) journaled_ = engine().state_hash();
    const auto requests = out.requests;
    std::size_t sent = requests.size();
    if (death == Death::kBeforeSend) die("death between write and send");
    if (death == Death::kWhileSending) sent = random_() % (requests.size() + 1);
    for (std::size_t i = 0; i < sent; ++i) send(requests[i]);
    if (death == Death::kWhileSending) die(sent > 0 ? "death after a send" : "death between write and send");
  }

  [[noreturn]] void die(const char* how) {
    ++reached_[how];
    throw Died{};
  }

  // A new process on the same journal: what was on the wire is gone, and the books are those of before.
  void restart() {
    engine_.reset();
    queue_.clear();
    open();
  }

  // ---- the line and the broker

  void send(const BrokerRequest& r) {
    std::vector<BrokerEvent> stream;
    const bool lost = lossy_ && chance(8);  // the request
    const bool mute = lossy_ && chance(8);  // the answer
    if (lost) ++reached_["request lost"];
    if (mute && !lost) ++reached_["answer lost"];
    if (r.kind == RequestKind::kSubmit) {
      ++asked_[r.client_order_id.str()];
      if (lost && chance(3)) late_.push_back(r);
      const BrokerEvent answer = lost ? broker_.answer(BrokerEventKind::kSubmitUnknown, r) : submit(r, stream);
      queue(mute ? broker_.answer(BrokerEventKind::kSubmitUnknown, r) : answer);
    } else if (r.kind == RequestKind::kCancel) {
      const BrokerEvent answer = lost ? broker_.answer(BrokerEventKind::kCancelUnknown, r) : broker_.cancel(r, stream);
      queue(mute ? broker_.answer(BrokerEventKind::kCancelUnknown, r) : answer);
    } else if (r.kind == RequestKind::kReplace) {
      broker_.slow_replaces = chance(2);
      const BrokerEvent gone = broker_.answer(BrokerEventKind::kSubmitUnknown, r);
      const BrokerEvent answer = lost ? gone : broker_.replace(r, stream);
      queue(mute ? gone : answer);
    } else if (r.kind == RequestKind::kLookup) {
      queue(lost || mute ? broker_.answer(BrokerEventKind::kLookupFailed, r) : broker_.lookup(r));
    } else {
      witness_.asked_snapshot(r.request_id);
      // A snapshot arrives in one piece and in order, behind what the link read before it.
      if (lost || mute) return queue(broker_.answer(BrokerEventKind::kSnapshotFailed, r));
      for (const BrokerEvent& e : broker_.snapshot(r)) queue_.push_back(e);
    }
    publish(stream);
  }

  // A request whose sender has long given it up. The broker refuses what cannot stand beside what is there by then.
  void arrive_late() {
    const BrokerRequest r = late_.front();
    late_.erase(late_.begin());
    const bool known = broker_.orders.contains(r.client_order_id.str());
    for (const auto& [id, order] : broker_.orders) {
      if (!known && (across_zero(r) || (FakeBroker::open(order.view) && order.view.symbol == r.symbol))) return;
    }
    ++reached_[known ? "late request known already" : "late request accepted"];
    unexpected_.insert(r.client_order_id.str());
    std::vector<BrokerEvent> stream;
    static_cast<void>(broker_.submit(r, stream));
    publish(stream);
  }

  BrokerEvent submit(const BrokerRequest& r, std::vector<BrokerEvent>& stream) {
    const bool known = broker_.orders.contains(r.client_order_id.str());
    if (!known && (stands_beside_a_late_one(r) || (lossy_ && chance(15)))) {
      ++reached_["refused in the answer"];
      BrokerEvent e = broker_.answer(BrokerEventKind::kSubmitRejected, r);
      e.http_status = 403;
      e.code = 40310000;
      return e;
    }
    const BrokerEvent e = broker_.submit(r, stream);
    if (!known && lossy_ && chance(20)) end_order(r.client_order_id.str(), OrderState::kRejected, stream);
    return e;
  }

  [[nodiscard]] bool across_zero(const BrokerRequest& r) {
    const std::int64_t held = broker_.positions[r.symbol.str()];
    const std::int64_t then = held + (r.side == Side::kSell ? -r.quantity.raw : r.quantity.raw);
    return held != 0 && then != 0 && (held < 0) != (then < 0);
  }

  // An order of which the engine cannot know works in the symbol, or has filled: the broker refuses what clashes with
  // it.
  [[nodiscard]] bool stands_beside_a_late_one(const BrokerRequest& r) {
    return std::any_of(unexpected_.begin(), unexpected_.end(), [&](const std::string& id) {
      const BrokerOrder& order = broker_.orders.at(id).view;
      if (order.symbol != r.symbol) return false;
      return FakeBroker::open(order) || (across_zero(r) && !witness_.told_all(id));
    });
  }

  void end_order(const std::string& id, OrderState state, std::vector<BrokerEvent>& stream) {
    FakeBroker::Order& order = broker_.orders.at(id);
    if (!FakeBroker::open(order.view) || broker_.waits(id)) return;
    ++reached_[state == OrderState::kRejected ? "refused on the stream" : "expired"];
    order.view.state = state;
    stream.push_back(FakeBroker::update(order));
  }

  void expire() {
    std::vector<BrokerEvent> stream;
    for (auto& [id, order] : broker_.orders) {
      if (lossy_ && FakeBroker::open(order.view) && chance(6)) end_order(id, OrderState::kExpired, stream);
    }
    publish(stream);
  }

  void publish(const std::vector<BrokerEvent>& stream) {
    for (const BrokerEvent& e : stream) {
      if (!stream_up_ || (lossy_ && chance(30))) {  // found again by the next snapshot
        ++reached_["stream message lost"];
        if (stream_up_) must_drop_ = true;
        continue;
      }
      queue(e);
      if (lossy_ && chance(6)) {
        ++reached_["stream message twice"];
        queue(e);
      }
    }
  }

  // Somewhere among the last few that wait, but not before a snapshot's rows.
  void queue(const BrokerEvent& e) {
    std::size_t back = lossy_ ? random_() % 4 : 0;
    auto at = queue_.end();
    bool moved = false;
    while (back-- > 0 && at != queue_.begin()) {
      if (std::prev(at)->kind >= BrokerEventKind::kLinkUp) break;
      --at;
      moved = true;
    }
    if (moved) ++reached_["reordered"];
    queue_.insert(at, e);
  }

  void deliver() {
    // A WebSocket that lost a frame is closed: nothing is ever missing in the middle of one.
    if (must_drop_ && chance(3)) return drop_link();
    if (queue_.empty()) return;
    if (lossy_ && chance(6)) {
      ++reached_["delayed"];
      return;
    }
    const BrokerEvent e = queue_.front();
    queue_.pop_front();
    feed(e);
  }

  void link(BrokerEventKind kind) {
    BrokerEvent e;
    e.kind = kind;
    stream_up_ = kind == BrokerEventKind::kLinkUp;
    if (!stream_up_) must_drop_ = false;
    feed(e);
  }

  void drop_link() {
    ++reached_["link dropped"];
    link(BrokerEventKind::kLinkDown);
    std::deque<BrokerEvent> rest;  // stream messages and snapshots on the wire are gone; REST answers are not
    for (const BrokerEvent& e : queue_) {
      if (e.kind != BrokerEventKind::kTradeUpdate && e.kind < BrokerEventKind::kLinkUp) rest.push_back(e);
    }
    queue_ = rest;
    for (std::uint64_t i = random_() % 4; i > 0; --i) chance(2) ? bar() : intent();
    link(BrokerEventKind::kLinkUp);
  }

  // ---- the bus

  void bar() { bar_of(kStormSymbols[random_() % 2]); }
  void bar_of(const std::string& symbol) {
    now_ += kSecond;
    const double open = 90 + static_cast<double>(random_() % 2000) / 100;
    const BarUpdate b = Desk::bar_of(symbol, now_, open, open + static_cast<double>(random_() % 100) / 100);
    std::vector<BrokerEvent> stream;
    const bool thin = chance(3);
    if (thin) ++reached_["thin bar"];
    broker_.trade(
        b, stream,
        thin ? static_cast<std::int64_t>(1 + random_() % 50) * kShare : std::numeric_limits<std::int64_t>::max());
    publish(stream);
    witness_.priced(symbol, b.close);
    feed(b);
  }

  void intent() {
    const Intent i = intents_.next(now_);
    fed_.insert(i.id.str());
    feed(i);
    if (chance(5)) feed(i);
    if (!chance(3)) control(ControlKind::kFlush);
  }

  void control(ControlKind kind, bool flatten = false) {
    Control c;
    c.kind = kind;
    c.issued_by = ShortText("ada");
    c.flatten = flatten;
    feed(c);
  }

  std::mt19937_64 random_;
  std::filesystem::path path_;
  EngineConfig config_;
  std::unique_ptr<DurableEngine> engine_;
  FakeBroker broker_;
  Reached reached_;
  Witness witness_{broker_, reached_};
  IntentSource intents_{random_, reached_};
  std::deque<BrokerEvent> queue_;
  Time now_ = kStart;
  bool lossy_ = true, stream_up_ = true, must_drop_ = false;
  std::int64_t next_offset_ = 0;
  std::string journaled_;  // the state's hash after the last record before a death
  std::set<std::string> fed_;
  std::map<std::string, int> asked_;  // by client order id
  std::set<std::string> unexpected_;  // orders that arrived late
  std::vector<BrokerRequest> late_;   // given up by the link, and still on their way
  std::string fault_;
  Leaving how_ = Leaving::kNo;  // a strategy was deleted
};

}  // namespace tradewind::testing
