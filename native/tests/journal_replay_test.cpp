// The journal: what was written is read, a torn tail is cut, damage is refused, and a process killed at any record goes
// on as if nothing had happened.
#include <unistd.h>

#include <fstream>
#include <functional>
#include <optional>

#include "engine_fixture.hpp"
#include "tradewind/journal/codec.hpp"
#include "tradewind/journal/journal.hpp"

namespace tradewind::testing {
namespace {

namespace fs = std::filesystem;

class Journal : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("tradewind-journal-" + std::string(info->name()) + "-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    path_ = folder_ / "engine.journal";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string bytes_of(const fs::path& p) {
    std::ifstream in(p, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const fs::path& p, const std::string& bytes) { std::ofstream(p, std::ios::binary) << bytes; }
  static std::string error_of(const std::function<void()>& f) {
    try {
      f();
    } catch (const std::exception& e) {
      return e.what();
    }
    return "";
  }
  // Ends of records, the file's header first.
  static std::vector<std::uint64_t> record_ends(const fs::path& p) {
    JournalReader reader(p);
    std::vector<std::uint64_t> ends{reader.valid_bytes()};
    while (reader.skip()) ends.push_back(reader.valid_bytes());
    return ends;
  }

  fs::path folder_, path_;
};

// A lockstep session against a broker that outlives the executor. After `die_after` journal records the process is
// killed with its last requests unsent or its answers unread; another one goes on from the journal.
class Session {
 public:
  Session(fs::path path, std::optional<std::uint64_t> die_after, bool sent_before_death)
      : path_(std::move(path)), die_after_(die_after), sent_before_death_(sent_before_death) {}

  struct Result {
    std::string decisions;
    std::uint64_t records = 0;
    std::map<std::string, std::int64_t> positions;
    Money cash;
    std::vector<std::string> faults;
    int fills = 0;
    int deaths = 0;
    int resent = 0;
    std::map<std::string, int> verdicts;
  };

  Result run() {
    start();
    while (time_ < 14) {
      try {
        one_step();
        ++time_;
        phase_ = 0;
      } catch (const Killed&) {
        ++result_.deaths;
        engine_.reset();
        start();
      }
    }
    result_.decisions = engine_->engine().decision_hash();
    result_.records = engine_->last_sequence();
    result_.positions = broker_.positions;
    result_.cash = engine_->engine().account().cash;
    EXPECT_LE(std::abs(result_.cash.raw - broker_.cash.raw), 10) << "cash";
    std::vector<PositionRecord> held;
    engine_->engine().positions(held);
    for (const auto& p : held) {
      EXPECT_TRUE(!p.strategy.empty() || p.quantity.raw == broker_.positions[p.symbol.str()]);
    }
    result_.faults = broker_.faults;
    result_.fills = static_cast<int>(broker_.executions);
    for (const auto& [id, times] : broker_.submits) result_.resent += times > 1 ? 1 : 0;
    return result_;
  }

 private:
  struct Killed {};

  static EngineConfig config() {
    EngineConfig c = config_of({"AAA", "IBM"}, {"a", "b"});
    c.limits.max_position = 300'000;
    return c;
  }

  void start() {
    engine_ = std::make_unique<DurableEngine>(path_, config(), SyncPolicy::kNone);
    BrokerEvent up;
    up.kind = BrokerEventKind::kLinkUp;
    feed(up, -1, 0);
    EXPECT_TRUE(engine_->engine().ready());
  }

  template <class Body>
  void feed(const Body& body, std::int64_t offset, std::uint8_t topic) {
    Input input;
    input.now = kStart + time_ * 86'400 * kSecond;
    input.topic = topic;
    input.offset = offset;
    input.body = body;
    std::deque<Input> queue{input};
    while (!queue.empty()) {
      const Outputs& out = engine_->step(queue.front());
      queue.pop_front();
      ASSERT_EQ(engine_->engine().check_invariants(), "");
      for (const Record& r : out.records) {
        if (const auto* v = std::get_if<IntentVerdict>(&r); v != nullptr && v->slice == 0)
          ++result_.verdicts[v->intent.str()];
      }
      const auto requests = out.requests;
      const bool dies = die_after_ && engine_->last_sequence() >= *die_after_;
      if (dies && !sent_before_death_) {
        die_after_.reset();
        throw Killed{};
      }
      std::vector<BrokerEvent> answers;
      for (const BrokerRequest& r : requests) {
        std::vector<BrokerEvent> stream;
        if (r.kind == RequestKind::kSubmit) answers.push_back(broker_.submit(r, stream));
        if (r.kind == RequestKind::kCancel) answers.push_back(broker_.cancel(r, stream));
        if (r.kind == RequestKind::kLookup) answers.push_back(broker_.lookup(r));
        if (r.kind == RequestKind::kSnapshot) answers = broker_.snapshot(r);
        answers.insert(answers.end(), stream.begin(), stream.end());
      }
      if (dies) {
        die_after_.reset();
        throw Killed{};
      }
      for (const BrokerEvent& e : answers) {
        Input next;
        next.now = input.now;
        next.body = e;
        queue.push_back(next);
      }
    }
  }

  // Phases that were finished before a death are not repeated; the bus offset says which inputs the engine has seen.
  void one_step() {
    const std::vector<std::string> symbols = {"AAA", "IBM"};
    if (phase_ == 0) {
      stream_.clear();
      for (std::size_t s = 0; s < 2; ++s)
        broker_.trade(bar(s), stream_, time_ % 4 == 2 ? 13 * kShare : 1'000'000 * kShare);
      phase_ = 1;
    }
    // After a restart these come again or are known from the snapshot: both are the same to the engine.
    for (const BrokerEvent& e : stream_) feed(e, -1, 0);
    for (std::size_t s = 0; s < 2; ++s) {
      const std::int64_t offset = time_ * 2 + static_cast<std::int64_t>(s);
      if (engine_->engine().next_offset(1) <= offset) feed(bar(s), offset, 1);
    }
    std::int64_t offset = time_ * 4;
    for (std::size_t s = 0; s < 2; ++s) {
      for (const char* strategy : {"a", "b"}) {
        if (engine_->engine().next_offset(2) <= offset) feed(intent(strategy, symbols[s], offset), offset, 2);
        ++offset;
      }
    }
    if (engine_->engine().next_offset(3) <= time_) {
      Control flush;
      flush.kind = ControlKind::kFlush;
      feed(flush, time_, 3);
    }
  }

  [[nodiscard]] BarUpdate bar(std::size_t s) const {
    const double wave = static_cast<double>((time_ * 7 + static_cast<std::int64_t>(s) * 3) % 11);
    return Desk::bar_of(s == 0 ? "AAA" : "IBM", kStart + time_ * 86'400 * kSecond, 95 + wave, 96 + wave);
  }

  [[nodiscard]] Intent intent(const std::string& strategy, const std::string& symbol, std::int64_t offset) const {
    Intent i;
    i.id = IntentId("intent-" + std::to_string(offset));
    i.strategy = StrategyId(strategy);
    i.symbol = Symbol(symbol);
    i.target = shares((offset * 37 + time_ * 11) % 9 * 10 - 40);
    if (offset % 13 == 5) i.target = shares(1'000'000);  // refused
    i.decision_time = kStart + time_ * 86'400 * kSecond;
    i.valid_until = i.decision_time + 3600 * kSecond;
    if (offset % 5 == 0) {
      i.order_type = OrderType::kLimit;
      i.limit_price = dollars(101);
    }
    return i;
  }

  fs::path path_;
  std::optional<std::uint64_t> die_after_;
  bool sent_before_death_;
  std::unique_ptr<DurableEngine> engine_;
  FakeBroker broker_;
  std::vector<BrokerEvent> stream_;
  std::int64_t time_ = 0;
  int phase_ = 0;
  Result result_;
};

TEST_F(Journal, KilledAtEveryRecordTheRunDecidesTheSame) {
  const Session::Result whole = Session(folder_ / "whole", std::nullopt, false).run();
  ASSERT_GT(whole.fills, 20);
  ASSERT_TRUE(whole.faults.empty());
  int deaths = 0;
  for (std::uint64_t at = 12; at <= whole.records; ++at) {
    for (const bool sent : {false, true}) {
      const fs::path path = folder_ / ("j" + std::to_string(at) + (sent ? "s" : "u"));
      const Session::Result r = Session(path, at, sent).run();
      ASSERT_EQ(r.deaths, 1) << at;
      ASSERT_EQ(r.decisions, whole.decisions) << "killed after record " << at << (sent ? ", sent" : ", not sent");
      ASSERT_EQ(r.positions, whole.positions) << at;
      ASSERT_EQ(r.cash, whole.cash) << at;
      ASSERT_TRUE(r.faults.empty()) << r.faults.front();
      ASSERT_EQ(r.verdicts, whole.verdicts) << at;
      ASSERT_EQ(r.resent, 0) << "an order that the broker had was sent again";
      deaths += r.deaths;
      std::unique_ptr<Engine> replayed;
      ASSERT_EQ(replay(path, replayed).decision_hash, whole.decisions);
      fs::remove(path);
    }
  }
  EXPECT_GT(deaths, 300);
}

TEST_F(Journal, ReplayGivesTheRunsStateAndHash) {
  Session(path_, std::nullopt, false).run();
  std::unique_ptr<Engine> a, b;
  const ReplayReport first = replay(path_, a), second = replay(path_, b);
  EXPECT_EQ(first.decision_hash, second.decision_hash);
  EXPECT_EQ(first.state_hash, second.state_hash);
  DurableEngine reopened(path_, parse_engine_config(canonical_json(a->config())), SyncPolicy::kNone);
  EXPECT_EQ(reopened.engine().state_hash(), first.state_hash);
  EXPECT_EQ(reopened.replayed().inputs, first.inputs);
}

TEST_F(Journal, ATornTailIsCutWhereverItTears) {
  Session(path_, std::nullopt, false).run();
  const std::string bytes = bytes_of(path_);
  const auto ends = record_ends(path_);
  ASSERT_EQ(ends.back(), bytes.size());
  const fs::path torn = folder_ / "torn";
  const std::uint64_t last = ends[ends.size() - 2];
  for (std::uint64_t size = last; size < bytes.size(); ++size) {
    write(torn, bytes.substr(0, size));
    {
      JournalWriter writer(torn, "test", SyncPolicy::kBatch);
      ASSERT_EQ(writer.last_sequence(), ends.size() - 2) << size;
      ASSERT_EQ(writer.append_config("x"), ends.size() - 1);
      writer.sync();
    }
    ASSERT_EQ(bytes_of(torn).substr(0, last), bytes.substr(0, last));
    JournalReader reader(torn);
    JournalEntry entry;
    while (reader.next(entry)) {
    }
    ASSERT_EQ(entry.config, "x");
  }
  // Died while the file was being begun.
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}}) {
    write(torn, bytes.substr(0, size));
    EXPECT_EQ(JournalWriter(torn, "test", SyncPolicy::kNone).last_sequence(), 0u);
  }
}

TEST_F(Journal, AnyOtherDamageIsRefusedInOneLine) {
  Session(path_, std::nullopt, false).run();
  const std::string bytes = bytes_of(path_);
  const auto ends = record_ends(path_);
  const fs::path bad = folder_ / "bad";
  int tried = 0;
  const auto refused = [&](const std::string& content) {
    write(bad, content);
    const std::string error = error_of([&] { JournalWriter(bad, "test", SyncPolicy::kNone); });
    EXPECT_NE(error.find(bad.string()), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
    EXPECT_EQ(bytes_of(bad), content) << "a damaged journal was changed";
    ++tried;
  };
  for (std::uint64_t at = 0; at < bytes.size();
       at += at < ends[1] + 500 ? 1 : 211) {  // every byte at the start, then samples
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    refused(flipped);
  }
  refused(bytes.substr(0, ends[3]) + bytes.substr(ends[4]));                                             // one missing
  refused(bytes.substr(0, ends[4]) + bytes.substr(ends[3], ends[4] - ends[3]) + bytes.substr(ends[4]));  // one twice
  EXPECT_GT(tried, 1000);
}

TEST_F(Journal, AnswersThatDifferAreNamedBySequence) {
  {
    DurableEngine engine(path_, config_of({"IBM"}, {"a"}), SyncPolicy::kAlways);
    Input input;
    input.now = kStart;
    engine.step(input);
  }
  {
    JournalWriter writer(path_, "test", SyncPolicy::kNone);
    Outputs lie;
    lie.requests.emplace_back();
    Input input;
    input.now = kStart + 1;
    EXPECT_EQ(writer.append(input, lie), 3u);
  }
  std::unique_ptr<Engine> engine;
  EXPECT_NE(error_of([&] { (void)replay(path_, engine); }).find("record 3"), std::string::npos);
}

TEST_F(Journal, OneWriterAndOneAccount) {
  JournalWriter writer(path_, "test", SyncPolicy::kNone);
  EXPECT_NE(error_of([&] { JournalWriter(path_, "test", SyncPolicy::kNone); }).find("in use"), std::string::npos);
  const fs::path other = folder_ / "other";
  {
    JournalWriter begin(other, "test", SyncPolicy::kNone);
  }
  EXPECT_NE(error_of([&] { JournalWriter(other, "live", SyncPolicy::kNone); }).find("belongs to account test"),
            std::string::npos);
}

TEST_F(Journal, ATakenOverJournalGoesOnAndTheOldWriterWritesForNobody) {
  JournalWriter old(path_, "test", SyncPolicy::kNone);
  Input input;
  input.now = kStart;
  EXPECT_EQ(old.append(input, Outputs{}), 1u);
  JournalWriter next(path_, "test", SyncPolicy::kNone, Locked::kTakeOver);
  EXPECT_EQ(next.last_sequence(), 1u);
  EXPECT_EQ(old.append(input, Outputs{}), 2u);  // a stopped process that wakes up
  EXPECT_EQ(old.append(input, Outputs{}), 3u);
  input.now = kStart + 7;
  EXPECT_EQ(next.append(input, Outputs{}), 2u);
  JournalReader reader(path_);
  JournalEntry entry;
  ASSERT_TRUE(reader.next(entry) && reader.next(entry));
  EXPECT_EQ(entry.input.now, kStart + 7);
  EXPECT_FALSE(reader.next(entry));
  EXPECT_NE(error_of([&] { JournalWriter(path_, "test", SyncPolicy::kNone); }).find("in use"), std::string::npos);
}

TEST_F(Journal, AChangedConfigurationIsPartOfTheRecord) {
  EngineConfig config = config_of({"IBM"}, {"a"});
  std::string state;
  {
    DurableEngine engine(path_, config, SyncPolicy::kNone);
    Input input;
    input.now = kStart;
    input.body = Desk::bar_of("IBM", kStart, 100, 100);
    engine.step(input);
  }
  config.limits.max_positions = 3;
  config.symbols.push_back({});
  config.symbols.back().symbol = Symbol("AAA");
  {
    DurableEngine engine(path_, config, SyncPolicy::kNone);
    Input input;
    input.now = kStart + 1;
    input.body = Desk::bar_of("AAA", kStart + 1, 50, 50);
    engine.step(input);
    state = engine.engine().state_hash();
    EXPECT_EQ(engine.last_sequence(), 4u);
  }
  std::unique_ptr<Engine> replayed;
  EXPECT_EQ(replay(path_, replayed).state_hash, state);
  EXPECT_EQ(replayed->config().limits.max_positions, 3);
  EXPECT_EQ(DurableEngine(path_, config, SyncPolicy::kNone).last_sequence(), 4u);  // unchanged: nothing added
}

TEST_F(Journal, AReaderFollowsAWriter) {
  JournalWriter writer(path_, "test", SyncPolicy::kNone);
  JournalReader reader(path_);
  JournalEntry entry;
  EXPECT_FALSE(reader.next(entry));
  writer.append_config("one");
  EXPECT_TRUE(reader.next(entry));
  EXPECT_EQ(entry.config, "one");
  EXPECT_FALSE(reader.next(entry));
  writer.append_config("two");
  EXPECT_TRUE(reader.next(entry));
  EXPECT_EQ(entry.config, "two");
}

// RFC 3720, appendix B.4.
TEST(Crc32c, PublishedVectors) {
  EXPECT_EQ(crc32c(std::vector<std::uint8_t>(32, 0)), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::vector<std::uint8_t>(32, 0xff)), 0x62a8ab43u);
  const std::string digits = "123456789";
  EXPECT_EQ(crc32c(std::span(reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size())), 0xe3069283u);
}

}  // namespace
}  // namespace tradewind::testing
