// The execution algorithms: closed forms, exact sums, limits, planning anew.
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "tradewind/algorithms/adaptive.hpp"
#include "tradewind/algorithms/almgren_chriss.hpp"
#include "tradewind/algorithms/participation.hpp"
#include "tradewind/algorithms/schedule.hpp"
#include "tradewind/algorithms/smart_routing.hpp"
#include "tradewind/algorithms/twap.hpp"
#include "tradewind/algorithms/vwap.hpp"

namespace tradewind {
namespace {

constexpr std::int64_t kShare = kQuantityScale;
constexpr Time kMinute = 60LL * 1'000'000'000;
constexpr Time kStart = 1'700'000'000LL / 86'400 * 86'400 * 1'000'000'000 + 15 * 60 * kMinute;  // 15:00 UTC

ExecutionPlan plan_of(Algorithm algorithm, std::int64_t slices) {
  ExecutionPlan plan;
  plan.algorithm = algorithm;
  plan.interval = 5 * kMinute;
  plan.duration = slices * plan.interval;
  return plan;
}

// Slices, in whole shares, of an order whose every slice fills in full.
std::vector<std::int64_t> filled_slices(const ExecutionPlan& plan, std::int64_t shares, const MarketTape& tape) {
  Schedule schedule(plan, shares * kShare, kShare, kStart, 7, tape);
  std::vector<std::int64_t> slices;
  std::int64_t done = 0;
  for (std::int64_t i = 0; i < schedule.clock().count(); ++i) {
    EXPECT_TRUE(schedule.advance(schedule.clock().begin(i), done, tape));
    slices.push_back((schedule.released() - done) / kShare);
    done = schedule.released();
  }
  EXPECT_EQ(done, shares * kShare);
  return slices;
}

TEST(PartOf, RoundsToTheNearestIncrementHalfToEven) {
  EXPECT_EQ(part_of(10 * kShare, {1, 3}, kShare), 3 * kShare);
  EXPECT_EQ(part_of(5 * kShare, {1, 2}, kShare), 2 * kShare);
  EXPECT_EQ(part_of(7 * kShare, {1, 2}, kShare), 4 * kShare);
  EXPECT_EQ(part_of(5 * kShare / 2, {9, 10}, kShare), 2 * kShare);
  EXPECT_EQ(part_of(5 * kShare / 2, {1, 1}, kShare), 5 * kShare / 2) << "the whole includes the odd part";
}

TEST(Twap, SlicesAreTotalOverCount) {
  EXPECT_EQ(filled_slices(plan_of(Algorithm::kTwap, 12), 1200, MarketTape{}), std::vector<std::int64_t>(12, 100));
  EXPECT_EQ(filled_slices(plan_of(Algorithm::kTwap, 4), 10, MarketTape{}), (std::vector<std::int64_t>{2, 3, 2, 3}));
}

TEST(Twap, UrgencySaysHowFastAShortfallIsMadeUp) {
  // 10 of the first 100 filled. Patient: 990 over the 9 slices left. Urgent: the 90 at once, and 900 over 9 slices.
  for (const auto& [urgency, slice] : {std::pair{0, 110}, std::pair{1'000'000, 190}}) {
    ExecutionPlan plan = plan_of(Algorithm::kTwap, 10);
    plan.urgency = urgency;
    const MarketTape tape;
    Schedule schedule(plan, 1000 * kShare, kShare, kStart, 7, tape);
    ASSERT_TRUE(schedule.advance(kStart, 0, tape));
    EXPECT_EQ(schedule.released(), 100 * kShare);
    ASSERT_TRUE(schedule.advance(schedule.clock().begin(1), 10 * kShare, tape));
    EXPECT_EQ(schedule.released(), (10 + slice) * kShare);
  }
}

TEST(Twap, SkippedSlicesAreDueAtOnce) {
  const MarketTape tape;
  Schedule schedule(plan_of(Algorithm::kTwap, 10), 1000 * kShare, kShare, kStart, 7, tape);
  ASSERT_TRUE(schedule.advance(kStart + 4 * 5 * kMinute, 0, tape));
  EXPECT_EQ(schedule.released(), 500 * kShare);
  EXPECT_FALSE(schedule.advance(kStart + 4 * 5 * kMinute + 1, 0, tape)) << "a slice is planned once";
}

TEST(Twap, LastSliceTakesWhatIsLeft) {
  const MarketTape tape;
  Schedule schedule(plan_of(Algorithm::kTwap, 3), 100 * kShare + 5, kShare, kStart, 7, tape);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(schedule.advance(schedule.clock().begin(i), 0, tape));
  EXPECT_EQ(schedule.released(), 100 * kShare + 5);
  EXPECT_FALSE(schedule.ended(schedule.clock().end() - 1));
  EXPECT_TRUE(schedule.ended(schedule.clock().end()));
}

TEST(SliceClock, JitterDelaysOnlyTheInnerSlicesAndKeepsTheirOrder) {
  const SliceClock even{kStart, 60 * kMinute, 5 * kMinute, 0, 1};
  SliceClock late{kStart, 60 * kMinute, 5 * kMinute, 500'000, seed_of("intent-1")};
  EXPECT_EQ(late.begin(0), kStart);
  std::set<Time> delays;
  for (std::int64_t i = 1; i < late.count(); ++i) {
    const Time delay = late.begin(i) - even.begin(i);
    EXPECT_LE(delay, 5 * kMinute / 2);
    EXPECT_GE(delay, 0);
    delays.insert(delay);
    EXPECT_EQ(late.index_at(late.begin(i)), i);
    EXPECT_EQ(late.index_at(late.begin(i) - 1), i - 1);
  }
  EXPECT_EQ(delays.size(), 11u);
  EXPECT_EQ(late.begin(12), kStart + 60 * kMinute) << "after the window the pace is even";
  EXPECT_EQ(late.index_at(kStart - 1), -1);
  const Time first = late.begin(1);
  late.seed = seed_of("intent-2");
  EXPECT_NE(late.begin(1), first);
  EXPECT_EQ(seed_of(""), 0xcbf29ce484222325u);   // the offset basis
  EXPECT_EQ(seed_of("a"), 0xaf63dc4c8601ec8cu);  // the authors' test vector
}

// Trade list (18) of the paper, with kappa from 2 (cosh(kappa tau) - 1) = (kappa-tilde tau)^2.
double closed_form(double risk, std::int64_t count, std::int64_t j, double total) {
  const double step = std::acosh(1 + risk / 2), n = static_cast<double>(count);
  return 2 * std::sinh(step / 2) / std::sinh(step * n) * std::cosh(step * (n - static_cast<double>(j) - 0.5)) * total;
}

TEST(AlmgrenChriss, SlicesAreTheTradeListOfThePaper) {
  for (const std::int64_t rate : {std::int64_t{1}, std::int64_t{360'000}, std::int64_t{5'000'000'000}, kMaxRiskRate}) {
    ExecutionPlan plan = plan_of(Algorithm::kImplementationShortfall, 20);
    plan.risk_rate = rate;
    const std::vector<std::int64_t> slices = filled_slices(plan, 1'000'000, MarketTape{});
    const double tau = static_cast<double>(plan.interval) / static_cast<double>(kDayNs);
    for (std::int64_t j = 0; j < 20; ++j) {
      const double exact = closed_form(static_cast<double>(rate) * 1e-6 * tau * tau, 20, j, 1e6);
      // Rounding of the slices before changes the rest by at most half a share each.
      EXPECT_NEAR(static_cast<double>(slices[static_cast<std::size_t>(j)]), exact, 1.5) << rate << " slice " << j;
    }
  }
}

TEST(AlmgrenChriss, WithoutRiskAversionItIsTwap) {
  EXPECT_EQ(filled_slices(plan_of(Algorithm::kImplementationShortfall, 8), 1000, MarketTape{}),
            filled_slices(plan_of(Algorithm::kTwap, 8), 1000, MarketTape{}));
}

TEST(AlmgrenChriss, RateIsThePapersExample) {
  // Section 3 of the paper: sigma = 0.95 USD per share and root day at 50 USD, eta = 2.5e-6, gamma = 2.5e-7 USD per
  // share and share per day, lambda = 1e-6, tau = 1 day. Measured in currency: divided by the price squared.
  const ImpactModel model{1e-6, 0.95 / 50, 2.5e-6 / 2500, 2.5e-7 / 2500};
  const auto rate = almgren_chriss_rate(model, kDayNs);
  ASSERT_TRUE(rate);
  EXPECT_NEAR(static_cast<double>(*rate) * 1e-6, 1e-6 * 0.95 * 0.95 / (2.5e-6 - 1.25e-7), 1e-6);
  EXPECT_FALSE(almgren_chriss_rate({1e-6, 0.02, 1e-9, 3e-9}, kDayNs)) << "impact that lasts would pay for itself";
  EXPECT_FALSE(almgren_chriss_rate({-1e-6, 0.02, 1e-9, 0}, kDayNs));
  EXPECT_FALSE(almgren_chriss_rate({1e-6, std::nan(""), 1e-9, 0}, kDayNs));
  EXPECT_FALSE(almgren_chriss_rate({1, 1, 1e-18, 0}, kDayNs));
}

TEST(Vwap, FollowsTheCurveAndTheVolumeThatCame) {
  MarketTape tape;
  // Two days of the same shape: 100 per minute in the first half hour from 15:00, 300 in the second.
  for (int day = -2; day < 0; ++day) {
    for (int minute = 1; minute <= 60; ++minute) {
      tape.add(kStart + day * kDayNs + minute * kMinute, Money{100}, minute <= 30 ? 100 : 300);
    }
  }
  EXPECT_EQ(tape.curve().days(), 1) << "a day counts when the next has begun";
  tape.add(kStart, Money{100}, 0);
  EXPECT_EQ(tape.curve().days(), 2);
  EXPECT_EQ(tape.curve().expected(kStart, kStart + 60 * kMinute), 12'000);
  EXPECT_EQ(tape.curve().expected(kStart + 29 * kMinute, kStart + 31 * kMinute), 400);
  EXPECT_EQ(tape.curve().expected(kStart - 60 * kMinute, kStart), 0);

  Schedule usual(plan_of(Algorithm::kVwap, 12), 1200 * kShare, kShare, kStart, 7, tape);
  Schedule lively = usual;
  MarketTape lively_tape = tape;
  ASSERT_TRUE(usual.advance(kStart, 0, tape));
  EXPECT_EQ(usual.released(), 50 * kShare) << "500 of 12,000";
  for (int minute = 1; minute <= 30; ++minute) {
    tape.add(kStart + minute * kMinute, Money{100}, 100);
    lively_tape.add(kStart + minute * kMinute, Money{100}, 300);
  }
  ASSERT_TRUE(usual.advance(kStart + 30 * kMinute, usual.released(), tape));
  EXPECT_EQ(usual.released(), (3000 + 1500) * 1200 / 12'000 * kShare);
  ASSERT_TRUE(lively.advance(kStart + 30 * kMinute, 0, lively_tape));
  // c = (9000 + 6000) / (3000 + 6000): (9000 + c 1500) / (9000 + c 9000) of 1200.
  EXPECT_EQ(lively.released(), 575 * kShare);
}

TEST(Vwap, WithoutACurveSlicesAreEqual) {
  EXPECT_EQ(filled_slices(plan_of(Algorithm::kVwap, 6), 600, MarketTape{}), std::vector<std::int64_t>(6, 100));
}

TEST(Participation, NeverReleasesMoreThanItsPartOfTheVolumeSeen) {
  for (const Algorithm algorithm : {Algorithm::kParticipation, Algorithm::kTwap, Algorithm::kImplementationShortfall}) {
    ExecutionPlan plan = plan_of(algorithm, 4);
    plan.participation = 100'000;
    MarketTape tape;
    tape.add(kStart, Money{100}, 1'000'000);
    Schedule schedule(plan, 1000 * kShare, kShare, kStart, 7, tape);
    std::int64_t volume = 0;
    ASSERT_TRUE(schedule.advance(kStart, 0, tape));
    EXPECT_EQ(schedule.released(), 0) << "nothing traded since the start";
    for (int i = 1; i < 12; ++i) {
      tape.add(kStart + i * 5 * kMinute, Money{100}, 999);
      volume += 999;
      ASSERT_TRUE(schedule.advance(kStart + i * 5 * kMinute, schedule.released(), tape));
      EXPECT_EQ(schedule.released(), std::min<std::int64_t>(1000, volume / 10) * kShare) << i;
    }
    EXPECT_EQ(schedule.released(), 1000 * kShare) << "the limit holds after the window, and then the order ends";
  }
  EXPECT_EQ(participation_cap(std::numeric_limits<std::int64_t>::max(), kPpm, 1),
            std::numeric_limits<std::int64_t>::max());
}

TEST(Adaptive, TradesFasterWhenTheMarketIsLivelier) {
  ExecutionPlan plan = plan_of(Algorithm::kAdaptive, 12);
  plan.risk_rate = 5'000'000'000;
  MarketTape quiet;
  for (int i = 0; i < 64; ++i) quiet.add(kStart - (64 - i) * kMinute, Money{10'000 + 10 * (i % 2)}, 1000);
  EXPECT_NEAR(static_cast<double>(quiet.variance_ratio()), static_cast<double>(kPpm), 100);
  MarketTape lively = quiet;
  for (int i = 0; i < 8; ++i) lively.add(kStart, Money{10'000 + 200 * (i % 2)}, 3000);
  EXPECT_EQ(lively.variance_ratio(), 4 * kPpm) << "held to four";
  EXPECT_GT(lively.volume_ratio(), kPpm);
  const auto slow = filled_slices(plan, 10'000, quiet), fast = filled_slices(plan, 10'000, lively);
  EXPECT_GT(fast[0], slow[0]);
  plan.algorithm = Algorithm::kImplementationShortfall;
  EXPECT_EQ(slow, filled_slices(plan, 10'000, quiet)) << "unchanged: the plain optimum";
  EXPECT_EQ(filled_slices(plan, 10'000, lively), slow) << "the plain optimum keeps its parameters";
}

TEST(SmartRouting, ChoosesBySizeUrgencyAndMarket) {
  MarketTape tape;
  EXPECT_EQ(smart_route(kShare, 0, tape), (Route{Algorithm::kTwap, OrderType::kLimit})) << "unknown volume is large";
  for (int i = 0; i < 100; ++i) tape.add(kStart + i * kMinute, Money{10'000 + 10 * (i % 2)}, 10'000);
  const auto shares = [](std::int64_t count) { return count * kShare; };
  EXPECT_EQ(smart_route(shares(100), 500'000, tape), (Route{Algorithm::kNone, OrderType::kMarket})) << "small";
  EXPECT_EQ(smart_route(shares(100), 499'999, tape), (Route{Algorithm::kNone, OrderType::kLimit})) << "patient";
  EXPECT_EQ(smart_route(shares(500), 700'000, tape), (Route{Algorithm::kNone, OrderType::kLimit})) << "neither";
  EXPECT_EQ(smart_route(shares(999), 800'000, tape), (Route{Algorithm::kNone, OrderType::kMarket})) << "urgent";
  EXPECT_EQ(smart_route(shares(1000), 500'000, tape), (Route{Algorithm::kTwap, OrderType::kLimit})) << "large";
  EXPECT_EQ(smart_route(shares(1000), 800'000, tape).algorithm, Algorithm::kImplementationShortfall);
  MarketTape known = tape;
  for (int day = 1; day <= 3; ++day) known.add(kStart + day * kDayNs, Money{10'000 + 10 * (day % 2)}, 10'000);
  EXPECT_EQ(smart_route(shares(1000), 500'000, known).algorithm, Algorithm::kVwap);
  MarketTape changing = known;
  for (int i = 1; i < 9; ++i) changing.add(kStart + 4 * kDayNs + i, Money{10'000 + 100 * (i % 2)}, 10'000);
  EXPECT_EQ(smart_route(shares(1000), 500'000, changing).algorithm, Algorithm::kAdaptive);
}

TEST(ExecutionPlanFault, NamesWhatMakesNoSense) {
  EXPECT_EQ(plan_fault(ExecutionPlan{}), "");
  const ExecutionPlan good = plan_of(Algorithm::kTwap, 12);
  EXPECT_EQ(plan_fault(good), "");
  const auto fault = [&](auto change) {
    ExecutionPlan plan = good;
    change(plan);
    const std::string_view text = plan_fault(plan);
    return std::string(text.substr(0, text.find(':')));
  };
  EXPECT_EQ(fault([](auto& p) { p.algorithm = static_cast<Algorithm>(7); }), "algorithm");
  EXPECT_EQ(fault([](auto& p) { p.duration = 0; }), "duration");
  EXPECT_EQ(fault([](auto& p) { p.duration = kDayNs + 1; }), "duration");
  EXPECT_EQ(fault([](auto& p) { p.interval = p.duration + 1; }), "interval");
  EXPECT_EQ(fault([](auto& p) { p.interval = p.duration / 1001; }), "interval");
  EXPECT_EQ(fault([](auto& p) { p.urgency = kPpm + 1; }), "urgency");
  EXPECT_EQ(fault([](auto& p) { p.participation = -1; }), "participation");
  EXPECT_EQ(fault([](auto& p) { p.algorithm = Algorithm::kParticipation; }), "participation");
  EXPECT_EQ(fault([](auto& p) { p.jitter = kMaxJitter + 1; }), "jitter");
  EXPECT_EQ(fault([](auto& p) { p.risk_rate = kMaxRiskRate + 1; }), "risk_rate");
}

TEST(Schedule, ResizeKeepsWhatIsOut) {
  const MarketTape tape;
  Schedule schedule(plan_of(Algorithm::kTwap, 10), 1000 * kShare, kShare, kStart, 7, tape);
  ASSERT_TRUE(schedule.advance(kStart, 0, tape));
  schedule.resize(1900 * kShare);
  EXPECT_EQ(schedule.released(), 100 * kShare);
  ASSERT_TRUE(schedule.advance(schedule.clock().begin(1), 100 * kShare, tape));
  EXPECT_EQ(schedule.released(), 300 * kShare) << "1800 over the 9 slices left";
  schedule.resize(250 * kShare);
  EXPECT_EQ(schedule.released(), 250 * kShare);
}

}  // namespace
}  // namespace tradewind
