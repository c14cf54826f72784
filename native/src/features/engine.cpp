// Core: the feature engine.
#include "tradewind/features/engine.hpp"

#include <algorithm>
#include <utility>

namespace tradewind::features {
namespace {

using indicators::Bar;
using indicators::FixedBar;

void check_bar(std::string_view symbol, const FixedBar& bar, bool started, Time last) {
  const auto refuse = [&](const std::string& reason) {
    throw FeatureError("bar of " + std::string(symbol) + " at " + std::to_string(bar.time) + ": " + reason);
  };
  if (started && bar.time <= last) refuse("not later than the last one, at " + std::to_string(last));
  if (bar.low <= 0) refuse("low must be above 0");
  if (bar.high < std::max(bar.open, bar.close)) refuse("high is below open or close");
  if (bar.low > std::min(bar.open, bar.close)) refuse("low is above open or close");
  if (bar.volume < 0) refuse("volume must not be negative");
}

}  // namespace

FeatureEngine::FeatureEngine(std::span<const std::string> names, std::string_view context_symbol)
    : names_(names.begin(), names.end()), context_symbol_(context_symbol) {
  for (const Definition& definition : parse_features(names)) {
    if (const auto* event = std::get_if<EventFeature>(&definition.source)) {
      sources_.emplace_back(*event);
      continue;
    }
    const auto& feature = std::get<BarFeature>(definition.source);
    auto& plans = feature.scope == Scope::kOwn ? own_plans_ : context_plans_;
    sources_.emplace_back(Source{feature.scope, plan(plans, feature), feature.output, feature.form});
  }
  context_ = make_state(context_plans_);
  const State own = make_state(own_plans_);
  for (const State* state : {&std::as_const(context_), &own}) {
    for (const auto& indicator : state->indicators) warm_up_ = std::max(warm_up_, indicator->warm_up());
  }
  values_.resize(sources_.size());
}

std::size_t FeatureEngine::plan(std::vector<Plan>& plans, const BarFeature& feature) {
  const auto same = [&](const Plan& each) {
    return each.specification == feature.specification && each.arguments == feature.arguments;
  };
  const auto found = std::ranges::find_if(plans, same);
  if (found != plans.end()) return static_cast<std::size_t>(found - plans.begin());
  plans.push_back({feature.specification, feature.arguments});
  return plans.size() - 1;
}

FeatureEngine::State FeatureEngine::make_state(const std::vector<Plan>& plans) {
  State state;
  state.indicators.reserve(plans.size());
  for (const Plan& each : plans) {
    state.indicators.push_back(indicators::make_indicator(*each.specification, each.arguments));
  }
  return state;
}

void FeatureEngine::advance(State& state, const Bar& bar) {
  state.bar = bar;
  state.started = true;
  for (const auto& indicator : state.indicators) indicator->update(bar);
}

double FeatureEngine::read(const State& state, const Source& source) {
  const double output = state.indicators[source.indicator]->value(source.output);
  switch (source.form) {
    case Form::kRaw:
      return output;
    case Form::kRelative:
      return state.bar.close / output - 1.0;
    case Form::kOverClose:
      return output / state.bar.close;
  }
  return output;
}

void FeatureEngine::update_context(const FixedBar& fixed) {
  check_bar(context_symbol_, fixed, context_.started, context_.bar.time);
  advance(context_, indicators::to_bar(fixed));
}

void FeatureEngine::update_event(const Event& event) { events_.add(event); }

std::span<const double> FeatureEngine::update(std::string_view symbol, const FixedBar& fixed) {
  if (symbol == context_symbol_) {
    throw FeatureError("'" + context_symbol_ + "' is the market context: its bars go to update_context");
  }
  auto found = symbols_.find(symbol);
  if (found == symbols_.end()) {
    // Checked first: a symbol whose only bar was refused leaves no state behind.
    check_bar(symbol, fixed, false, 0);
    found = symbols_.emplace(std::string(symbol), make_state(own_plans_)).first;
  }
  State& state = found->second;
  check_bar(symbol, fixed, state.started, state.bar.time);
  Bar bar = indicators::to_bar(fixed);
  // An older context bar is no price of this moment: indicators of two series pass such a bar over.
  if (context_.started && context_.bar.time == bar.time) bar.market = context_.bar.close;
  advance(state, bar);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (const auto* event = std::get_if<EventFeature>(&sources_[i])) {
      values_[i] = events_.value(*event, symbol, bar.time);
    } else {
      const auto& source = std::get<Source>(sources_[i]);
      values_[i] = read(source.scope == Scope::kOwn ? state : context_, source);
    }
  }
  return values_;
}

void compute_batch(std::span<const std::string> names, std::string_view context_symbol, std::string_view symbol,
                   const BarColumns& bars, const BarColumns& context, std::span<const Event> events,
                   std::span<double> out) {
  FeatureEngine engine(names, context_symbol);
  for (const Event& event : events) engine.update_event(event);
  std::size_t next = 0;
  auto position = out.begin();
  for (std::size_t i = 0; i < bars.time.size(); ++i) {
    for (; next < context.time.size() && context.time[next] <= bars.time[i]; ++next) {
      engine.update_context(context.at(next));
    }
    position = std::ranges::copy(engine.update(symbol, bars.at(i)), position).out;
  }
}

}  // namespace tradewind::features
