// The executor's runtime against a broker in memory: order of journal and send, restarts, waits, draining.
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <set>
#include <thread>

#include "engine_fixture.hpp"
#include "tradewind/link/rest_connection.hpp"
#include "tradewind/runtime/executor_runtime.hpp"

namespace tradewind {
namespace {

using std::chrono::seconds;
using Kind = BrokerEventKind;

using testing::kStart;

// The books outlive a link, as a real broker's do.
struct Books {
  std::mutex mutex;
  std::map<std::string, BrokerOrder> orders;
  std::vector<std::string> submits;  // client order ids, as they came
  bool answer_submits = true;        // false: taken, and silence
  bool take_submits = true;          // false: lost on the way, and silence
  bool answer_snapshots = true;
  std::uint64_t stream_id = 0;
  std::function<void(const BrokerRequest&)> on_send;
};

class MemoryLink final : public BrokerLink {
 public:
  MemoryLink(Books& books, BrokerEventSink& sink) : books_(books), sink_(sink) {}
  ~MemoryLink() override { stop(); }

  void start() override {
    thread_ = std::thread([this] { run(); });
    BrokerEvent up;
    up.kind = Kind::kLinkUp;
    up.stream_id = books_.stream_id;
    tell(up);
  }
  void stop() override {
    if (!thread_.joinable()) return;
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  SendStamps send(const BrokerRequest& request) override {
    const std::scoped_lock lock(books_.mutex);
    if (books_.on_send) books_.on_send(request);
    BrokerEvent event;
    event.request_id = request.request_id;
    event.order.client_order_id = request.client_order_id;
    if (request.kind == RequestKind::kSubmit) {
      books_.submits.push_back(request.client_order_id.str());
      if (!books_.take_submits) return {};
      BrokerOrder order{
          request.client_order_id, {}, request.symbol, request.side, OrderState::kAccepted, request.quantity, {}, {},
          request.limit_price};
      order.broker_order_id.assign("b-" + std::to_string(books_.submits.size()));
      books_.orders[request.client_order_id.str()] = order;
      if (!books_.answer_submits) return {};
      event.kind = Kind::kSubmitAccepted;
      event.order = order;
      tell(event);
    } else if (request.kind == RequestKind::kLookup) {
      const auto found = books_.orders.find(request.client_order_id.str());
      event.kind = found == books_.orders.end() ? Kind::kLookupMissing : Kind::kLookupFound;
      if (found != books_.orders.end()) event.order = found->second;
      tell(event);
    } else if (request.kind == RequestKind::kSnapshot) {
      snapshot(event);
    }
    return {};
  }

  void tell(const BrokerEvent& event) {
    const std::scoped_lock lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }

  // All of the order, at this price, as the stream tells it.
  void fill(const std::string& client_order_id, std::int64_t price, std::uint64_t stream_id) {
    BrokerEvent event;
    {
      const std::scoped_lock lock(books_.mutex);
      BrokerOrder& order = books_.orders.at(client_order_id);
      order.state = OrderState::kFilled;
      order.filled = order.quantity;
      order.filled_avg_price.raw = price;
      event.order = order;
    }
    event.kind = Kind::kTradeUpdate;
    event.stream_id = stream_id;
    event.execution_id.assign("x-" + std::to_string(stream_id));
    event.execution_quantity = event.order.filled;
    event.execution_price.raw = price;
    tell(event);
  }

 private:
  void snapshot(BrokerEvent event) {
    const std::uint64_t request_id = event.request_id;
    if (!books_.answer_snapshots) {
      event.kind = Kind::kSnapshotFailed;
      return tell(event);
    }
    event.kind = Kind::kAccount;
    event.cash.raw = event.equity.raw = 1'000'000 * kMoneyScale;
    event.buying_power.raw = 2 * event.cash.raw;
    tell(event);
    for (const auto& [id, order] : books_.orders) {
      event = {};
      event.kind = Kind::kSnapshotOrder;
      event.order = order;
      tell(event);
      if (order.filled.raw == 0) continue;
      event.kind = Kind::kPosition;
      event.position.raw = order.side == Side::kBuy ? order.filled.raw : -order.filled.raw;
      tell(event);
    }
    event = {};
    event.kind = Kind::kSnapshotEnd;
    event.request_id = request_id;
    tell(event);
  }

  void run() {
    for (;;) {
      BrokerEvent event;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !events_.empty(); });
        if (stopping_) return;
        event = events_.front();
        events_.pop_front();
      }
      if (event.request_id != 0) sink_.written(event.request_id, {monotonic_ns(), monotonic_ns()});
      sink_.deliver(event);
    }
  }

  Books& books_;
  BrokerEventSink& sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BrokerEvent> events_;
  bool stopping_ = false;
  std::thread thread_;
};

EngineConfig engine_config() { return testing::config_of({"AAPL", "MSFT"}, {"trend"}); }

class ExecutorTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("tradewind-") + info->name() + "-" + std::to_string(::getpid());
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = std::filesystem::temp_directory_path() / name;
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override {
    runtime_.reset();
    std::filesystem::remove_all(directory_);
  }

  void make(bool lease = false) {
    ExecutorConfig config;
    config.lease = lease;
    config.engine = engine_config();
    config.journal_directory = directory_;
    config.threads.spinning = GetParam();
    config.threads.clock = Clock::kVirtual;
    config.broker.url = "memory";
    runtime_ = std::make_unique<ExecutorRuntime>(config, [this](const BrokerConfig&, BrokerEventSink& sink) {
      auto made = std::make_unique<MemoryLink>(books_, sink);
      link_ = made.get();
      return made;
    });
  }
  void open() {
    make();
    runtime_->start();
  }
  void reopen() {
    runtime_.reset();
    open();
  }

  void push_bar(Time at, std::int64_t offset) {
    Input input{at, 1, offset, BarUpdate{}};
    auto& bar = std::get<BarUpdate>(input.body);
    bar.symbol.assign("AAPL");
    bar.event_time = at;
    bar.open.raw = bar.high.raw = bar.low.raw = bar.close.raw = 100 * kMoneyScale;
    bar.volume = 1'000;
    runtime_->push(input);
  }
  void push_intent(Time at, std::int64_t offset, std::int64_t shares) {
    Input inputs[2] = {{at, 2, offset, Intent{}}, {at, 0, -1, Control{ControlKind::kFlush, {}, {}, false}}};
    auto& intent = std::get<Intent>(inputs[0].body);
    intent.id.assign("intent-" + std::to_string(offset));
    intent.strategy.assign("trend");
    intent.symbol.assign("AAPL");
    intent.target.raw = shares * kQuantityScale;
    intent.decision_time = at;
    intent.valid_until = at + 3'600'000'000'000;
    intent.reference_price.raw = 100 * kMoneyScale;
    runtime_->push(inputs, 2);
  }
  void idle() { ASSERT_TRUE(runtime_->wait_idle(seconds(10))); }
  std::string only_submit() {
    const std::scoped_lock lock(books_.mutex);
    EXPECT_EQ(books_.submits.size(), 1U);
    return books_.submits.empty() ? "" : books_.submits.front();
  }
  std::size_t submit_count() {
    const std::scoped_lock lock(books_.mutex);
    return books_.submits.size();
  }
  template <class R>
  std::vector<R> records(std::uint64_t after = 0) {
    std::vector<R> found;
    for (const JournalEntry& entry : runtime_->drain(after, 1'000'000)) {
      for (const Record& record : entry.outputs.records) {
        if (const auto* r = std::get_if<R>(&record)) found.push_back(*r);
      }
    }
    return found;
  }

  Books books_;
  MemoryLink* link_ = nullptr;
  std::filesystem::path directory_;
  std::unique_ptr<ExecutorRuntime> runtime_;
};

TEST_P(ExecutorTest, AnIntentBecomesAnOrderAndAFill) {
  open();
  EXPECT_TRUE(runtime_->ready());
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  idle();
  const std::string id = only_submit();
  link_->fill(id, 101 * kMoneyScale, 5);
  ASSERT_TRUE(runtime_->wait_stream(5, seconds(10)));
  const auto verdicts = records<IntentVerdict>();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].accepted) << verdicts[0].message.view();
  const auto fills = records<FillRecord>();
  ASSERT_EQ(fills.size(), 1U);
  EXPECT_EQ(fills[0].quantity.raw, 10 * kQuantityScale);
  EXPECT_EQ(fills[0].price.raw, 101 * kMoneyScale);
  EXPECT_EQ(runtime_->stats().broken_invariant, "");
}

// This link writes nothing in send(): each order is one that found no connection free.
TEST_P(ExecutorTest, AnOrderThatHadToWaitIsMeasuredToo) {
  open();
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  idle();
  const HopLatencies& hops = runtime_->latencies();
  EXPECT_EQ(hops.total.count(), 1U);
  EXPECT_EQ(hops.wait.count(), 1U);
  EXPECT_EQ(hops.write.count(), 1U);
  EXPECT_EQ(hops.encode.count(), 0U);
  EXPECT_EQ(hops.answer.count(), 2U) << "the snapshot and the order";
  EXPECT_GE(hops.total.max(), hops.wait.max());
}

TEST_P(ExecutorTest, TheJournalHoldsARequestBeforeTheBrokerDoes) {
  bool checked = false;
  make();
  books_.on_send = [&](const BrokerRequest& request) {
    if (request.kind != RequestKind::kSubmit) return;
    JournalReader reader(directory_ / "executor.journal");
    JournalEntry entry;
    bool written = false;
    while (reader.next(entry)) {
      for (const BrokerRequest& r : entry.outputs.requests) written = written || r.request_id == request.request_id;
    }
    EXPECT_TRUE(written);
    checked = true;
  };
  runtime_->start();
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  idle();
  EXPECT_TRUE(checked);
}

TEST_P(ExecutorTest, ARestartContinuesWhereTheJournalEnds) {
  open();
  push_bar(kStart, 41);
  push_intent(kStart, 7, 10);
  idle();
  const std::string hash = runtime_->stats().decision_hash;
  const auto before = records<OrderRecord>();
  reopen();
  EXPECT_EQ(runtime_->next_offset(1), 42);
  EXPECT_EQ(runtime_->next_offset(2), 8);
  EXPECT_EQ(runtime_->stats().decision_hash, hash);
  push_intent(kStart, 7, 10);  // the bus gives it again
  idle();
  (void)only_submit();
  EXPECT_EQ(runtime_->stats().decision_hash, hash);
  EXPECT_GE(records<OrderRecord>().size(), before.size());
}

TEST_P(ExecutorTest, AnOrderWhoseAnswerWasLostInACrashIsNotSentTwice) {
  books_.answer_submits = false;
  open();
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  EXPECT_FALSE(runtime_->wait_idle(std::chrono::milliseconds(50)));
  const std::string id = only_submit();
  books_.answer_submits = true;
  reopen();
  idle();
  EXPECT_EQ(only_submit(), id);
  const auto orders = records<OrderRecord>();
  ASSERT_FALSE(orders.empty());
  EXPECT_EQ(orders.back().state, OrderState::kAccepted);
}

TEST_P(ExecutorTest, AnOrderThatNeverArrivedKeepsItsName) {
  books_.take_submits = false;
  open();
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  EXPECT_FALSE(runtime_->wait_idle(std::chrono::milliseconds(50)));
  books_.take_submits = true;
  reopen();
  runtime_->push(Input{kStart + 60'000'000'000, 0, -1, TimeUpdate{}});
  idle();
  const std::scoped_lock lock(books_.mutex);
  EXPECT_LE(books_.orders.size(), 1U);
  EXPECT_EQ(std::set<std::string>(books_.submits.begin(), books_.submits.end()).size(), 1U);
}

TEST_P(ExecutorTest, IdleMeansThatEveryAnswerIsThere) {
  books_.answer_submits = false;
  open();
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  EXPECT_FALSE(runtime_->wait_idle(std::chrono::milliseconds(50)));
  EXPECT_EQ(runtime_->stats().outstanding, 1U);
  BrokerEvent answer;
  answer.kind = Kind::kSubmitAccepted;
  {
    const std::scoped_lock lock(books_.mutex);
    answer.order = books_.orders.begin()->second;
  }
  link_->tell(answer);
  idle();
}

TEST_P(ExecutorTest, ASnapshotCoversTheStreamUpToWhereItListened) {
  books_.stream_id = 17;
  open();
  EXPECT_TRUE(runtime_->wait_stream(17, seconds(10)));
  EXPECT_FALSE(runtime_->wait_stream(18, std::chrono::milliseconds(20)));
}

TEST_P(ExecutorTest, DrainingGoesOnAfterWhatWasTaken) {
  open();
  for (int i = 0; i < 50; ++i) {
    push_bar(kStart + i * 60'000'000'000LL, i);
    push_intent(kStart + i * 60'000'000'000LL, i, 10);
  }
  idle();
  const auto all = runtime_->drain(0, 1'000'000);
  std::vector<std::uint64_t> whole, parts;
  for (const JournalEntry& entry : all) whole.push_back(entry.sequence);
  std::uint64_t cursor = 0;
  for (;;) {
    const auto some = runtime_->drain(cursor, 1);
    if (some.empty()) break;
    for (const JournalEntry& entry : some) parts.push_back(entry.sequence);
    cursor = parts.back();
  }
  EXPECT_EQ(parts, whole);
  EXPECT_GE(whole.size(), 50U);
  reopen();
  const auto later = runtime_->drain(cursor, 1'000'000);
  for (const JournalEntry& entry : later) EXPECT_GT(entry.sequence, cursor);
}

TEST_P(ExecutorTest, ABrokerWithoutASnapshotIsNoStart) {
  books_.answer_snapshots = false;
  make();
  try {
    runtime_->start();
    FAIL() << "started without knowing its positions";
  } catch (const ExecutorError& error) {
    EXPECT_NE(std::string(error.what()).find("cannot reconcile with the broker at memory"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(runtime_->ready());
}

TEST_P(ExecutorTest, VirtualTimeComesWithEveryInput) {
  open();
  EXPECT_THROW(runtime_->push(Input{}), ExecutorError);
}

TEST_P(ExecutorTest, WithoutALeaseNoOrderLeavesUntilItIsExtended) {
  constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
  make(true);
  runtime_->extend_lease(kForever);
  runtime_->start();
  runtime_->extend_lease(1);  // long ago
  push_bar(kStart, 0);
  push_intent(kStart, 0, 10);
  idle();
  EXPECT_EQ(submit_count(), 0U);
  ASSERT_EQ(records<IntentVerdict>().size(), 1U);
  EXPECT_EQ(records<IntentVerdict>()[0].code, RejectCode::kLeaseLost);
  EXPECT_FALSE(runtime_->holds_lease());
  runtime_->extend_lease(kForever);
  push_bar(kStart + 1, 1);
  idle();
  push_intent(kStart + 2, 1, 10);
  idle();
  EXPECT_EQ(submit_count(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Waits, ExecutorTest, ::testing::Bool(),
                         [](const auto& given) { return given.param ? "Spinning" : "Blocking"; });

std::string config_error(const std::string& text) {
  try {
    (void)parse_executor_config(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ExecutorConfig, EverySectionNamesWhatItDoesNotKnow) {
  const std::string engine = canonical_json(engine_config());
  const auto with = [&](const std::string& rest) { return R"({"engine":)" + engine + "," + rest + "}"; };
  const std::string journal = R"("journal":{"directory":"j"})";
  const std::string broker = R"("broker":{"url":"https://h","key_id":"k","secret":"s"})";
  EXPECT_EQ(config_error(with(journal + "," + broker)), "");
  EXPECT_NE(config_error(with(journal)).find("\"broker\" is missing"), std::string::npos);
  EXPECT_NE(config_error(with(journal + "," + broker + R"(,"extra":1)")).find("\"extra\""), std::string::npos);
  EXPECT_NE(config_error(with(R"("journal":{"directory":"j","fsync":1},)" + broker)).find("journal.fsync"),
            std::string::npos);
  EXPECT_NE(config_error(with(R"("journal":{"directory":"j","sync":"maybe"},)" + broker)).find("none, batch, always"),
            std::string::npos);
  EXPECT_NE(config_error(with(R"("journal":{},)" + broker)).find("journal.directory"), std::string::npos);
  EXPECT_NE(config_error(with(journal + "," + broker + R"(,"threads":{"wait":"busy"})")).find("threads.wait"),
            std::string::npos);
  EXPECT_NE(config_error("{").find("JSON"), std::string::npos);
}

}  // namespace
}  // namespace tradewind
