// The parts that indicators are made of, and what holds for every one of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "tradewind/indicators/compensated_sum.hpp"
#include "tradewind/indicators/elementary.hpp"
#include "tradewind/indicators/nearest_names.hpp"
#include "tradewind/indicators/obv.hpp"
#include "tradewind/indicators/registry.hpp"
#include "tradewind/indicators/smoothing.hpp"

namespace tradewind::indicators {
namespace {

// Prices that wander between far apart levels, so that a running sum would carry old magnitudes along.
class RandomBars {
 public:
  explicit RandomBars(unsigned seed) : random_(seed) {}

  Bar next() {
    std::normal_distribution<double> move(0.0, 0.01);
    log_price_ = log_price_ * 0.9999 + move(random_);
    Bar bar;
    bar.time = time_ += 60'000'000'000;
    bar.close = 100.0 * std::exp(4.0 * log_price_);
    bar.open = bar.close * std::exp(move(random_));
    bar.high = std::max(bar.open, bar.close) * (1.0 + std::abs(move(random_)));
    bar.low = std::min(bar.open, bar.close) / (1.0 + std::abs(move(random_)));
    bar.volume = std::floor(1e6 * std::exp(100.0 * move(random_)));
    bar.market = 1000.0 * std::exp(log_price_ + move(random_));
    return bar;
  }

 private:
  std::mt19937_64 random_;
  double log_price_ = 0.0;
  Time time_ = 1'000'000'000'000'000'000;
};

std::unique_ptr<Indicator> with_presets(const Specification& specification) {
  std::vector<double> arguments;
  for (const Parameter& parameter : specification.parameters) arguments.push_back(parameter.preset);
  return make_indicator(specification, arguments);
}

double distance_in_ulps(double a, double b) {
  return std::abs(a - b) / (std::nextafter(std::abs(b), INFINITY) - std::abs(b));
}

TEST(Elementary, LogarithmIsWithinTwoUnitsInTheLastPlace) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> wide(-300.0, 300.0);
  std::normal_distribution<double> small(0.0, 0.02);
  for (int i = 0; i < 200'000; ++i) {
    for (const double x : {std::exp(wide(random)), 1.0 + small(random)}) {
      ASSERT_LE(distance_in_ulps(natural_log(x), static_cast<double>(std::log(static_cast<long double>(x)))), 2.0) << x;
    }
  }
  EXPECT_EQ(natural_log(1.0), 0.0);
}

TEST(Elementary, PowerOfTwoIsExactAtWholeNumbersAndCloseBetween) {
  EXPECT_EQ(power_of_two(0.0), 1.0);
  EXPECT_EQ(power_of_two(-10.0), 1.0 / 1024.0);
  EXPECT_EQ(power_of_two(-2000.0), 0.0);
  for (double x = -60.0; x < 0.0; x += 0.0137) {
    ASSERT_LE(distance_in_ulps(power_of_two(x), static_cast<double>(std::exp2(static_cast<long double>(x)))), 2.0) << x;
  }
}

TEST(Window, IsAlwaysTheLastValuesOldestFirst) {
  Window window(3);
  std::vector<double> all;
  for (int i = 1; i <= 10; ++i) {
    window.push(i);
    all.push_back(i);
    const std::vector<double> expected(all.end() - std::min<std::ptrdiff_t>(i, 3), all.end());
    const auto values = window.values();
    EXPECT_EQ(std::vector<double>(values.begin(), values.end()), expected);
    EXPECT_EQ(window.full(), i >= 3);
  }
}

TEST(Moments, AreExactForEqualValues) {
  const std::vector<double> values(37, 0.1);
  EXPECT_EQ(mean(values), 0.1);
  EXPECT_EQ(population_std(values), 0.0);
  EXPECT_EQ(zscore_of_newest(values), 0.0);
}

TEST(Moments, QuantileInterpolatesBetweenOrderStatistics) {
  std::vector<double> values{4.0, 1.0, 3.0, 2.0};
  EXPECT_DOUBLE_EQ(quantile(values, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(quantile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(quantile(values, 1.0), 4.0);
}

TEST(CompensatedSum, KeepsWhatAPlainSumLoses) {
  CompensatedSum sum;
  double plain = 0.0;
  for (const double value : {1.0, 1e100, 1.0, -1e100}) {
    sum.add(value);
    plain += value;
  }
  EXPECT_EQ(plain, 0.0);
  EXPECT_EQ(sum.value(), 2.0);
}

TEST(Smoothing, AveragesPassOverNaNAndSeedWithTheMean) {
  ExponentialMean exponential(3);
  WilderMean wilder(3);
  for (const double value : {kNaN, 1.0, kNaN, 2.0}) {
    EXPECT_TRUE(std::isnan(exponential.push(value)));
    EXPECT_TRUE(std::isnan(wilder.push(value)));
  }
  EXPECT_DOUBLE_EQ(exponential.push(6.0), 3.0);
  EXPECT_DOUBLE_EQ(wilder.push(6.0), 3.0);
  EXPECT_DOUBLE_EQ(exponential.push(7.0), 5.0);  // 3 + (7 - 3) / 2
  EXPECT_DOUBLE_EQ(wilder.push(6.0), 4.0);       // (2 * 3 + 6) / 3
}

TEST(NearestNames, RanksByEditDistance) {
  const std::vector<std::string> known{"sma", "wma", "ichimoku", "ema"};
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(nearest_names("sna", known), "sma, ema, wma");
}

TEST(Registry, HasAtLeast45IndicatorsInOrderWithSoundSpecifications) {
  const auto all = specifications();
  EXPECT_GE(all.size(), 45U);
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &Specification::name));
  for (const Specification& each : all) {
    EXPECT_GE(each.arithmetic_version, 1) << each.name;
    EXPECT_LE(each.outputs.size(), Indicator::kMaxOutputs) << each.name;
    EXPECT_EQ(with_presets(each)->values().size(), each.outputs.size()) << each.name;
    EXPECT_EQ(&specification(each.name), &each);
  }
}

TEST(Registry, RefusesArgumentsOutOfRange) {
  const Specification& sma = specification("sma");
  for (const double bad : {0.0, -1.0, 1.5, 100'001.0, kNaN}) {
    EXPECT_THROW((void)make_indicator(sma, std::vector<double>{bad}), IndicatorError) << bad;
  }
  EXPECT_THROW((void)make_indicator(sma, std::vector<double>{}), IndicatorError);
  EXPECT_THROW((void)specification("smaa"), IndicatorError);
}

TEST(EveryIndicator, IsNaNUntilWarmAndANumberFromThenOn) {
  for (const Specification& each : specifications()) {
    const auto indicator = with_presets(each);
    RandomBars bars(7);
    for (int bar = 1; bar <= indicator->warm_up() + 50; ++bar) {
      indicator->update(bars.next());
      const auto values = indicator->values();
      const bool complete = std::ranges::none_of(values, [](double value) { return std::isnan(value); });
      ASSERT_EQ(complete, bar >= indicator->warm_up()) << each.name << " bar " << bar;
    }
  }
}

// Indicators that remember every bar they saw by definition: sums since the first bar, and trailing stops.
bool is_cumulative(std::string_view name) {
  constexpr std::array kNames{
      "obv", "accumulation_distribution", "price_volume_trend", "volume_index", "parabolic_sar", "supertrend"};
  return std::ranges::find(kNames, name) != kNames.end();
}

TEST(EveryIndicator, DoesNotDriftOverAMillionBars) {
  constexpr int kBars = 1'000'000;
  constexpr int kTail = 4'000;  // longer than any preset's memory: an EMA of 26 forgets by e^-300
  std::vector<std::unique_ptr<Indicator>> old;
  std::vector<std::unique_ptr<Indicator>> fresh;
  std::vector<std::string_view> names;
  for (const Specification& each : specifications()) {
    if (is_cumulative(each.name)) continue;
    old.push_back(with_presets(each));
    fresh.push_back(with_presets(each));
    names.push_back(each.name);
  }
  RandomBars bars(11);
  for (int i = 0; i < kBars; ++i) {
    const Bar bar = bars.next();
    for (const auto& indicator : old) indicator->update(bar);
    if (i < kBars - kTail) continue;
    for (const auto& indicator : fresh) indicator->update(bar);
  }
  for (std::size_t i = 0; i < old.size(); ++i) {
    for (std::size_t output = 0; output < old[i]->values().size(); ++output) {
      const double expected = fresh[i]->value(output);
      EXPECT_NEAR(old[i]->value(output), expected, 1e-12 * std::max(1.0, std::abs(expected))) << names[i];
    }
  }
}

TEST(Obv, LosesNoVolumeBesideALargeBalance) {
  Obv obv(20);
  RandomBars bars(13);
  double before = kNaN;
  std::int64_t exact = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bar bar = bars.next();
    if (i == 0) bar.volume = std::ldexp(1.0, 56);  // here a double counts in sixteens
    const auto volume = static_cast<std::int64_t>(bar.volume);
    exact += std::isnan(before) || bar.close > before ? volume : (bar.close < before ? -volume : 0);
    before = bar.close;
    obv.update(bar);
  }
  EXPECT_EQ(obv.value(), static_cast<double>(exact));
}

}  // namespace
}  // namespace tradewind::indicators
