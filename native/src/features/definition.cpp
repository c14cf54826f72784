// Core: feature names parsed into definitions.
#include "tradewind/features/definition.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "tradewind/indicators/nearest_names.hpp"

namespace tradewind::features {
namespace {

constexpr int kMaxEventDays = 1000;

struct Parts {
  std::string_view prefix, middle, last;
};

// Splits at the last two underscores.
std::optional<Parts> split(std::string_view name) {
  const auto end = name.rfind('_');
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  const auto begin = name.rfind('_', end - 1);
  if (begin == std::string_view::npos) return std::nullopt;
  return Parts{name.substr(0, begin), name.substr(begin + 1, end - begin - 1), name.substr(end + 1)};
}

// Digits without a leading zero, so that no feature has two names.
std::optional<int> parse_count(std::string_view text) {
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value < 1 || text.front() == '0')
    return std::nullopt;
  return value;
}

// "12x26x9" as numbers; empty when it is not of that form.
std::vector<int> parse_window(std::string_view text) {
  std::vector<int> counts;
  while (true) {
    const auto cross = text.find('x');
    const auto count = parse_count(text.substr(0, cross));
    if (!count) return {};
    counts.push_back(*count);
    if (cross == std::string_view::npos) return counts;
    text.remove_prefix(cross + 1);
  }
}

std::string usual_name(const Family& family, const Aggregation& aggregation) {
  return std::string(family.prefix) + "_" + std::string(family.usual_window) + "_" + std::string(aggregation.name);
}

[[noreturn]] void throw_unknown(std::string_view name) {
  throw FeatureError("unknown feature '" + std::string(name) +
                     "'; nearest: " + indicators::nearest_names(name, known_features()));
}

std::optional<EventAggregation> parse_event_aggregation(std::string_view text) {
  if (text == "decay") return EventAggregation::kDecay;
  if (text == "count") return EventAggregation::kCount;
  if (text == "since") return EventAggregation::kSince;
  return std::nullopt;
}

Definition parse_event_feature(std::string_view name) {
  constexpr std::string_view kPrefix = "event_";
  const auto parts = split(name);
  const auto aggregation = parts ? parse_event_aggregation(parts->middle) : std::nullopt;
  const std::string_view type =
      parts && parts->prefix.size() > kPrefix.size() ? parts->prefix.substr(kPrefix.size()) : std::string_view();
  const bool plain =
      std::ranges::all_of(type, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (!aggregation || type.empty() || !plain) {
    throw FeatureError("unknown feature '" + std::string(name) +
                       "'; event features read event_{type}_{decay|count|since}_{days}, as in " +
                       "event_rate_decision_decay_5");
  }
  const auto days = parse_count(parts->last);
  if (!days || *days > kMaxEventDays) {
    throw FeatureError("feature '" + std::string(name) + "': the last part must be days, a whole number from 1 to " +
                       std::to_string(kMaxEventDays));
  }
  return {std::string(name), EventFeature{std::string(type), *aggregation, *days}};
}

// The window part as the indicator's arguments; parameters it does not reach keep their presets.
std::vector<double> parse_arguments(std::string_view name, const Family& family, std::string_view window,
                                    const indicators::Specification& specification) {
  std::vector<double> arguments;
  for (const auto& parameter : specification.parameters) arguments.push_back(parameter.preset);
  const std::vector<int> counts = parse_window(window);
  const std::size_t most = std::max<std::size_t>(1, family.window_parameters.size());
  const bool windowless = family.window_parameters.empty() && counts == std::vector<int>{1};
  if (counts.empty() || counts.size() > most || (family.window_parameters.empty() && !windowless)) {
    throw FeatureError("feature '" + std::string(name) + "': window '" + std::string(window) +
                       "' does not fit; as in " + usual_name(family, family.aggregations.front()));
  }
  for (std::size_t i = 0; i < counts.size() && !windowless; ++i) {
    arguments[indicators::parameter_index(specification, family.window_parameters[i])] = counts[i];
  }
  return arguments;
}

// Of names one of which continues the other (flow_volume, flow_volume_zscore) the split decides: prefixes are whole.
Definition parse_bar_feature(std::string_view name) {
  const auto parts = split(name);
  if (!parts) throw_unknown(name);
  const auto all = families();
  const auto family = std::ranges::find(all, parts->prefix, &Family::prefix);
  if (family == all.end()) throw_unknown(name);
  const auto aggregation = std::ranges::find(family->aggregations, parts->last, &Aggregation::name);
  if (aggregation == family->aggregations.end()) throw_unknown(name);
  const auto& specification = indicators::specification(family->indicator);
  BarFeature feature{&specification, parse_arguments(name, *family, parts->middle, specification),
                     indicators::output_index(specification, aggregation->output), aggregation->form, family->scope};
  try {
    (void)indicators::make_indicator(specification, feature.arguments);
  } catch (const indicators::IndicatorError& error) {
    throw FeatureError("feature '" + std::string(name) + "': " + error.what());
  }
  return {std::string(name), std::move(feature)};
}

}  // namespace

Definition parse_feature(std::string_view name) {
  return name.starts_with("event_") ? parse_event_feature(name) : parse_bar_feature(name);
}

std::vector<Definition> parse_features(std::span<const std::string> names) {
  if (names.empty()) throw FeatureError("a feature set needs at least one feature");
  std::vector<Definition> definitions;
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) throw FeatureError("feature '" + name + "' is named twice");
    definitions.push_back(parse_feature(name));
  }
  return definitions;
}

std::vector<std::string> known_features() {
  std::vector<std::string> names;
  for (const Family& family : families()) {
    for (const Aggregation& aggregation : family.aggregations) names.push_back(usual_name(family, aggregation));
  }
  for (const std::string_view each : {"decay_5", "count_20", "since_60"}) {
    names.push_back("event_rate_decision_" + std::string(each));
  }
  return names;
}

}  // namespace tradewind::features
