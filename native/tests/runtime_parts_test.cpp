// The runtime's small parts: ring, waits, progress, histogram, each against threads or a sorted list.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <thread>

#include "tradewind/runtime/blocking_wait.hpp"
#include "tradewind/runtime/latency_histogram.hpp"
#include "tradewind/runtime/progress.hpp"
#include "tradewind/runtime/spin_wait.hpp"
#include "tradewind/runtime/spsc_ring.hpp"

namespace tradewind {
namespace {

TEST(SpscRing, HoldsItsCapacityAndNoMore) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.try_push(i));
  EXPECT_FALSE(ring.try_push(4));
  EXPECT_EQ(*ring.front(), 0);
  EXPECT_EQ(*ring.front(), 0) << "looking takes nothing";
  ring.pop();
  EXPECT_TRUE(ring.try_push(4));
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(*ring.front(), i);
    ring.pop();
  }
  EXPECT_EQ(ring.front(), nullptr);
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, RefusesACapacityThatIsNoPowerOfTwo) {
  EXPECT_THROW(SpscRing<int>(3), std::invalid_argument);
  EXPECT_THROW(SpscRing<int>(0), std::invalid_argument);
}

class RingBetweenThreads : public ::testing::TestWithParam<bool> {};

// Each value is wide, so that a value read before it is whole shows; the small ring makes both sides wait.
TEST_P(RingBetweenThreads, EveryValueArrivesOnceInOrderAndWhole) {
  struct Wide {
    std::uint64_t a = 0, b = 0, c = 0;
  };
  constexpr std::uint64_t kCount = 50'000;
  SpscRing<Wide> ring(8);
  std::unique_ptr<WaitStrategy> wait;
  if (GetParam()) {
    wait = std::make_unique<SpinWait>();
  } else {
    wait = std::make_unique<BlockingWait>();
  }
  std::thread producer([&] {
    for (std::uint64_t i = 1; i <= kCount; ++i) {
      while (!ring.try_push({i, ~i, i * 3})) std::this_thread::yield();
      wait->notify();
    }
  });
  std::uint64_t wrong = 0;
  for (std::uint64_t expected = 1; expected <= kCount;) {
    const std::uint32_t ticket = wait->prepare();
    const Wide* value = ring.front();
    if (value == nullptr) {
      // An hour: a wake-up that gets lost makes this test time out instead of passing slowly.
      wait->wait(ticket, std::chrono::hours(1));
      continue;
    }
    wrong += value->a == expected && value->b == ~expected && value->c == expected * 3 ? 0 : 1;
    ++expected;
    ring.pop();
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_TRUE(ring.empty());
}

INSTANTIATE_TEST_SUITE_P(Waits, RingBetweenThreads, ::testing::Bool());

TEST(BlockingWait, AnnouncedWorkIsNotSleptThrough) {
  BlockingWait wait;
  const std::uint32_t ticket = wait.prepare();
  wait.notify();  // between the look and the sleep
  wait.wait(ticket, std::chrono::hours(1));
  SUCCEED();
}

TEST(Progress, AWaiterSeesWhatWasReachedBeforeAndAfterItCame) {
  Progress progress;
  std::atomic<int> reached{0};
  EXPECT_FALSE(progress.wait(std::chrono::milliseconds(1), [&] { return reached == 1; }));
  std::thread worker([&] {
    for (int i = 1; i <= 2'000; ++i) {
      reached = i;
      progress.advanced();
    }
  });
  for (int goal : {1, 700, 2'000}) EXPECT_TRUE(progress.wait(std::chrono::hours(1), [&] { return reached >= goal; }));
  worker.join();
}

TEST(LatencyHistogram, QuantilesAreWithinOneStepOfTheSortedValues) {
  auto histogram = std::make_unique<LatencyHistogram>();
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random() >> (20 + random() % 44);
    values.push_back(value);
    histogram->record(static_cast<std::int64_t>(value));
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    const std::uint64_t exact = values[rank - 1];
    EXPECT_GE(histogram->quantile(q), exact) << q;
    EXPECT_LE(histogram->quantile(q), exact + exact / 64 + 1) << q;
  }
  EXPECT_EQ(histogram->count(), values.size());
  EXPECT_EQ(histogram->max(), values.back());
}

TEST(LatencyHistogram, IsEmptyAtFirstAndTakesNegativeValuesAsZero) {
  auto histogram = std::make_unique<LatencyHistogram>();
  EXPECT_EQ(histogram->quantile(0.99), 0U);
  histogram->record(-5);
  EXPECT_EQ(histogram->count(), 1U);
  EXPECT_EQ(histogram->quantile(1.0), 0U);
}

}  // namespace
}  // namespace tradewind
