// Core: bars and events in, feature vectors out. One object for the stream, looped over arrays for the batch.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tradewind/features/definition.hpp"
#include "tradewind/features/event_history.hpp"
#include "tradewind/indicators/bar.hpp"

namespace tradewind::features {

class FeatureEngine {
 public:
  // Throws FeatureError for a name it does not know.
  FeatureEngine(std::span<const std::string> names, std::string_view context_symbol);

  // The market context's bar; of one time it comes before the symbols' bars.
  void update_context(const indicators::FixedBar& bar);

  // May come before its time: it is held back until a bar at or after available_time.
  void update_event(const Event& event);

  // The vector of this bar, one value per name in their order; NaN = not warm. Valid until the next call.
  // Throws FeatureError for a bar that is not later than the symbol's last or is no bar (high below low, a price of 0).
  std::span<const double> update(std::string_view symbol, const indicators::FixedBar& bar);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::string& context_symbol() const { return context_symbol_; }
  // Bars (of the symbol, and of the context) after which no value is NaN.
  [[nodiscard]] int warm_up() const { return warm_up_; }

 private:
  // Features that share an indicator and its arguments share the object.
  struct Plan {
    const indicators::Specification* specification;
    std::vector<double> arguments;
  };
  struct Source {
    Scope scope;
    std::size_t indicator;
    std::size_t output;
    Form form;
  };
  struct State {
    std::vector<std::unique_ptr<indicators::Indicator>> indicators;
    indicators::Bar bar;
    bool started = false;
  };

  [[nodiscard]] static State make_state(const std::vector<Plan>& plans);
  [[nodiscard]] static std::size_t plan(std::vector<Plan>& plans, const BarFeature& feature);
  static void advance(State& state, const indicators::Bar& bar);
  [[nodiscard]] static double read(const State& state, const Source& source);

  std::vector<std::string> names_;
  std::string context_symbol_;
  std::vector<std::variant<Source, EventFeature>> sources_;
  std::vector<Plan> own_plans_, context_plans_;
  State context_;
  std::map<std::string, State, std::less<>> symbols_;
  EventHistory events_;
  std::vector<double> values_;
  int warm_up_ = 0;
};

// Columns of equal length, oldest first.
struct BarColumns {
  std::span<const Time> time;
  std::span<const std::int64_t> open, high, low, close, volume;

  [[nodiscard]] indicators::FixedBar at(std::size_t i) const {
    return {time[i], open[i], high[i], low[i], close[i], volume[i]};
  }
};

// The batch: a new engine fed as the stream would feed it. Fills out[bar * names.size() + feature].
void compute_batch(std::span<const std::string> names, std::string_view context_symbol, std::string_view symbol,
                   const BarColumns& bars, const BarColumns& context, std::span<const Event> events,
                   std::span<double> out);

}  // namespace tradewind::features
