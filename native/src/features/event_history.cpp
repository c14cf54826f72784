// Core: decayed impact, count and age of events.
#include "tradewind/features/event_history.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "tradewind/indicators/elementary.hpp"

namespace tradewind::features {
namespace {

constexpr Time kDay = 86'400'000'000'000;
constexpr std::string_view kAnyType = "any";
// After 60 half-lives an event weighs less than the last bit of a new one.
constexpr Time kHalfLives = 60;

}  // namespace

void EventHistory::add(const Event& event) {
  if (event.symbol.empty()) throw FeatureError("event '" + event.type + "': symbol must not be empty ('*' = all)");
  if (event.type.empty() || event.type == kAnyType) {
    throw FeatureError("event of " + event.symbol + ": type must be a name other than 'any'");
  }
  if (!std::isfinite(event.impact)) throw FeatureError("event '" + event.type + "': impact must be a finite number");
  ByType& types = by_symbol_[event.symbol];
  const Known known{event.available_time, event.impact};
  for (const std::string_view type : {std::string_view(event.type), kAnyType}) {
    auto& list = types[std::string(type)];
    list.insert(std::ranges::upper_bound(list, known), known);
  }
}

const std::vector<EventHistory::Known>* EventHistory::find(std::string_view symbol, std::string_view type) const {
  const auto types = by_symbol_.find(symbol);
  if (types == by_symbol_.end()) return nullptr;
  const auto list = types->second.find(type);
  return list == types->second.end() ? nullptr : &list->second;
}

double EventHistory::value(const EventFeature& feature, std::string_view symbol, Time now) const {
  const Time span = feature.days * kDay;
  const Time horizon = feature.aggregation == EventAggregation::kDecay ? span * kHalfLives : span;
  double decayed = 0.0;
  double count = 0.0;
  double share = 1.0;  // of `days` since the last event
  for (const std::string_view whose : {symbol, kWholeMarket}) {
    const auto* list = find(whose, feature.type);
    if (list == nullptr) continue;
    const auto end = std::ranges::upper_bound(*list, now, {}, &Known::time);
    const auto begin = std::ranges::upper_bound(list->begin(), end, now - horizon, {}, &Known::time);
    for (auto event = begin; event != end; ++event) {
      const double age = static_cast<double>(now - event->time) / static_cast<double>(span);
      decayed += event->impact * indicators::power_of_two(-age);
      count += 1.0;
      share = std::min(share, age);
    }
  }
  switch (feature.aggregation) {
    case EventAggregation::kDecay:
      return decayed;
    case EventAggregation::kCount:
      return count;
    case EventAggregation::kSince:
      return share;
  }
  return decayed;
}

}  // namespace tradewind::features
