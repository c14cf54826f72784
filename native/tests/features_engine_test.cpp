// The feature engine in C++: stream against batch, sharing of indicators, what names mean.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "tradewind/features/engine.hpp"

namespace tradewind::features {
namespace {

using indicators::FixedBar;

constexpr Time kDay = 86'400'000'000'000;
constexpr std::string_view kContext = "^GSPC";

struct Series {
  std::vector<Time> time;
  std::vector<std::int64_t> open, high, low, close, volume;

  [[nodiscard]] BarColumns columns() const { return {time, open, high, low, close, volume}; }
};

Series random_series(unsigned seed, int bars) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> move(0.0, 0.02);
  Series series;
  double log_price = 4.0;
  for (int i = 0; i < bars; ++i) {
    log_price += move(random);
    const auto close = static_cast<std::int64_t>(std::exp(log_price) * 1e8);
    const auto open = static_cast<std::int64_t>(std::exp(log_price + move(random)) * 1e8);
    series.time.push_back((i + 1) * kDay);
    series.open.push_back(open);
    series.close.push_back(close);
    series.high.push_back(std::max(open, close) + 50'000'000);
    series.low.push_back(std::min(open, close) - 50'000'000);
    series.volume.push_back(static_cast<std::int64_t>(random() % 1'000'000));
  }
  return series;
}

std::vector<std::string> default_names() { return {default_features().begin(), default_features().end()}; }

TEST(FeatureEngine, StreamAndBatchGiveTheSameBits) {
  const Series own = random_series(1, 300);
  const Series context = random_series(2, 300);
  const std::vector<Event> events{{"*", "rate_decision", 20 * kDay, 0.5}, {"A", "rate_decision", 40 * kDay + 5, -0.25}};
  const auto names = default_names();
  std::vector<double> batch(names.size() * own.time.size());
  compute_batch(names, kContext, "A", own.columns(), context.columns(), events, batch);

  FeatureEngine engine(names, kContext);
  for (std::size_t i = 0; i < own.time.size(); ++i) {
    for (const Event& event : events) {
      if (event.available_time > static_cast<Time>(i) * kDay && event.available_time <= own.time[i]) {
        engine.update_event(event);
      }
    }
    engine.update_context(context.columns().at(i));
    const auto vector = engine.update("A", own.columns().at(i));
    for (std::size_t f = 0; f < names.size(); ++f) {
      ASSERT_EQ(std::bit_cast<std::uint64_t>(vector[f]), std::bit_cast<std::uint64_t>(batch[i * names.size() + f]))
          << names[f] << " bar " << i;
    }
  }
}

TEST(FeatureEngine, ContextOfAnotherTimeIsNoMarketPrice) {
  const Series own = random_series(3, 30);
  const std::vector<std::string> names{"cross_excess_5_market", "ctx_return_5_raw"};
  FeatureEngine engine(names, kContext);
  for (std::size_t i = 0; i < own.time.size(); ++i) {
    FixedBar context = own.columns().at(i);
    context.time -= 1;
    engine.update_context(context);
    const auto vector = engine.update("A", own.columns().at(i));
    EXPECT_TRUE(std::isnan(vector[0]));
    EXPECT_EQ(std::isnan(vector[1]), i < 5);
  }
}

TEST(FeatureEngine, RefusedFirstBarLeavesNoState) {
  const std::vector<std::string> names{"stat_return_1_raw"};
  FeatureEngine engine(names, kContext);
  EXPECT_THROW(engine.update("A", {kDay, 100, 90, 95, 100, 1}), FeatureError);
  EXPECT_TRUE(std::isnan(engine.update("A", {kDay, 100, 110, 90, 100, 1})[0]));
  EXPECT_DOUBLE_EQ(engine.update("A", {2 * kDay, 100, 130, 90, 125, 1})[0], 0.25);
}

TEST(FeatureNames, EveryKnownNameParsesAndSpeaksForItself) {
  for (const std::string& name : known_features()) {
    const Definition definition = parse_feature(name);
    EXPECT_EQ(definition.name, name);
    EXPECT_TRUE(definition.canonical().starts_with(name + ": "));
  }
}

TEST(FeatureNames, WindowPartFillsParametersFromTheFirst) {
  const auto feature = std::get<BarFeature>(parse_feature("tech_macd_10x20_line").source);
  EXPECT_EQ(feature.arguments, (std::vector<double>{10, 20, 9}));
  EXPECT_THROW((void)parse_feature("tech_macd_10x20x5x2_line"), FeatureError);
  EXPECT_THROW((void)parse_feature("tech_macd_10x_line"), FeatureError);
  EXPECT_THROW((void)parse_feature("tech_macd_99999999999_line"), FeatureError);
}

TEST(EventHistory, LongHalfLivesDoNotOverflow) {
  EventHistory history;
  history.add({"*", "rate_decision", 0, 1.0});
  const EventFeature feature{"rate_decision", EventAggregation::kDecay, 1000};
  EXPECT_DOUBLE_EQ(history.value(feature, "A", 0), 1.0);
  EXPECT_DOUBLE_EQ(history.value(feature, "A", 1000 * kDay), 0.5);
  EXPECT_DOUBLE_EQ(history.value(feature, "A", 20'000 * kDay), std::ldexp(1.0, -20));
}

}  // namespace
}  // namespace tradewind::features
