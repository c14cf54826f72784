// Core: the table of indicators. A new one is its header and a line here.
#include "tradewind/indicators/registry.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tradewind/indicators/accumulation_distribution.hpp"
#include "tradewind/indicators/adx.hpp"
#include "tradewind/indicators/amihud.hpp"
#include "tradewind/indicators/aroon.hpp"
#include "tradewind/indicators/atr.hpp"
#include "tradewind/indicators/atr_bands.hpp"
#include "tradewind/indicators/autocorrelation.hpp"
#include "tradewind/indicators/beta.hpp"
#include "tradewind/indicators/bollinger.hpp"
#include "tradewind/indicators/calendar.hpp"
#include "tradewind/indicators/cci.hpp"
#include "tradewind/indicators/chaikin_money_flow.hpp"
#include "tradewind/indicators/chaikin_volatility.hpp"
#include "tradewind/indicators/chandelier_exit.hpp"
#include "tradewind/indicators/close_location_value.hpp"
#include "tradewind/indicators/coppock.hpp"
#include "tradewind/indicators/dema.hpp"
#include "tradewind/indicators/donchian.hpp"
#include "tradewind/indicators/drawdown.hpp"
#include "tradewind/indicators/ease_of_movement.hpp"
#include "tradewind/indicators/ema.hpp"
#include "tradewind/indicators/force_index.hpp"
#include "tradewind/indicators/gap.hpp"
#include "tradewind/indicators/garman_klass.hpp"
#include "tradewind/indicators/historical_volatility.hpp"
#include "tradewind/indicators/hma.hpp"
#include "tradewind/indicators/ichimoku.hpp"
#include "tradewind/indicators/kama.hpp"
#include "tradewind/indicators/keltner.hpp"
#include "tradewind/indicators/kst.hpp"
#include "tradewind/indicators/log_return.hpp"
#include "tradewind/indicators/macd.hpp"
#include "tradewind/indicators/mfi.hpp"
#include "tradewind/indicators/momentum.hpp"
#include "tradewind/indicators/natr.hpp"
#include "tradewind/indicators/nearest_names.hpp"
#include "tradewind/indicators/obv.hpp"
#include "tradewind/indicators/parabolic_sar.hpp"
#include "tradewind/indicators/parkinson.hpp"
#include "tradewind/indicators/pivot_points.hpp"
#include "tradewind/indicators/ppo.hpp"
#include "tradewind/indicators/price_moments.hpp"
#include "tradewind/indicators/price_volume_trend.hpp"
#include "tradewind/indicators/regression.hpp"
#include "tradewind/indicators/relative_strength.hpp"
#include "tradewind/indicators/return_moments.hpp"
#include "tradewind/indicators/roc.hpp"
#include "tradewind/indicators/rogers_satchell.hpp"
#include "tradewind/indicators/roll_spread.hpp"
#include "tradewind/indicators/rolling_quantile.hpp"
#include "tradewind/indicators/rolling_vwap.hpp"
#include "tradewind/indicators/rsi.hpp"
#include "tradewind/indicators/simple_return.hpp"
#include "tradewind/indicators/sma.hpp"
#include "tradewind/indicators/stochastic.hpp"
#include "tradewind/indicators/stochastic_rsi.hpp"
#include "tradewind/indicators/supertrend.hpp"
#include "tradewind/indicators/tail_risk.hpp"
#include "tradewind/indicators/tema.hpp"
#include "tradewind/indicators/trix.hpp"
#include "tradewind/indicators/true_range.hpp"
#include "tradewind/indicators/tsi.hpp"
#include "tradewind/indicators/ultimate_oscillator.hpp"
#include "tradewind/indicators/volume_index.hpp"
#include "tradewind/indicators/volume_ratio.hpp"
#include "tradewind/indicators/volume_zscore.hpp"
#include "tradewind/indicators/vortex.hpp"
#include "tradewind/indicators/vwma.hpp"
#include "tradewind/indicators/williams_r.hpp"
#include "tradewind/indicators/wma.hpp"
#include "tradewind/indicators/yang_zhang.hpp"

namespace tradewind::indicators {
namespace {

// Becomes an int or a double, as the constructor asks.
struct Argument {
  double value;
  operator int() const { return static_cast<int>(value); }  // NOLINT(google-explicit-constructor)
  operator double() const { return value; }                 // NOLINT(google-explicit-constructor)
};

template <class T, std::size_t... I>
std::unique_ptr<Indicator> create([[maybe_unused]] std::span<const double> arguments, std::index_sequence<I...>) {
  return std::make_unique<T>(Argument{arguments[I]}...);
}

template <class T>
constexpr Specification specify() {
  return {T::kName, T::kArithmeticVersion, T::kParameters, T::kOutputs, [](std::span<const double> arguments) {
            return create<T>(arguments, std::make_index_sequence<T::kParameters.size()>{});
          }};
}

constexpr std::array kSpecifications{
    specify<AccumulationDistribution>(),
    specify<Adx>(),
    specify<Amihud>(),
    specify<Aroon>(),
    specify<Atr>(),
    specify<AtrBands>(),
    specify<Autocorrelation>(),
    specify<Beta>(),
    specify<Bollinger>(),
    specify<Calendar>(),
    specify<Cci>(),
    specify<ChaikinMoneyFlow>(),
    specify<ChaikinVolatility>(),
    specify<ChandelierExit>(),
    specify<CloseLocationValue>(),
    specify<Coppock>(),
    specify<Dema>(),
    specify<Donchian>(),
    specify<Drawdown>(),
    specify<EaseOfMovement>(),
    specify<Ema>(),
    specify<ForceIndex>(),
    specify<Gap>(),
    specify<GarmanKlass>(),
    specify<HistoricalVolatility>(),
    specify<Hma>(),
    specify<Ichimoku>(),
    specify<Kama>(),
    specify<Keltner>(),
    specify<Kst>(),
    specify<LogReturn>(),
    specify<Macd>(),
    specify<Mfi>(),
    specify<Momentum>(),
    specify<Natr>(),
    specify<Obv>(),
    specify<ParabolicSar>(),
    specify<Parkinson>(),
    specify<PivotPoints>(),
    specify<Ppo>(),
    specify<PriceMoments>(),
    specify<PriceVolumeTrend>(),
    specify<Regression>(),
    specify<RelativeStrength>(),
    specify<ReturnMoments>(),
    specify<Roc>(),
    specify<RogersSatchell>(),
    specify<RollSpread>(),
    specify<RollingQuantile>(),
    specify<RollingVwap>(),
    specify<Rsi>(),
    specify<SimpleReturn>(),
    specify<Sma>(),
    specify<Stochastic>(),
    specify<StochasticRsi>(),
    specify<Supertrend>(),
    specify<TailRisk>(),
    specify<Tema>(),
    specify<Trix>(),
    specify<TrueRange>(),
    specify<Tsi>(),
    specify<UltimateOscillator>(),
    specify<VolumeIndex>(),
    specify<VolumeRatio>(),
    specify<VolumeZscore>(),
    specify<Vortex>(),
    specify<Vwma>(),
    specify<WilliamsR>(),
    specify<Wma>(),
    specify<YangZhang>(),
};

std::string number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return std::to_string(static_cast<long long>(value));
  return std::to_string(value);
}

template <class Item, class Name>
std::string list(std::span<const Item> items, Name name) {
  std::string text;
  for (const Item& item : items) text += (text.empty() ? "" : ", ") + std::string(name(item));
  return text.empty() ? "none" : text;
}

}  // namespace

std::span<const Specification> specifications() { return kSpecifications; }

const Specification& specification(std::string_view name) {
  const auto found = std::ranges::find(kSpecifications, name, &Specification::name);
  if (found != kSpecifications.end()) return *found;
  std::vector<std::string> known;
  known.reserve(kSpecifications.size());
  for (const Specification& each : kSpecifications) known.emplace_back(each.name);
  throw IndicatorError("unknown indicator '" + std::string(name) + "'; nearest: " + nearest_names(name, known));
}

std::size_t parameter_index(const Specification& specification, std::string_view name) {
  const auto found = std::ranges::find(specification.parameters, name, &Parameter::name);
  if (found == specification.parameters.end()) {
    throw IndicatorError(std::string(specification.name) + ": unknown parameter '" + std::string(name) +
                         "'; it has: " + list(specification.parameters, [](const Parameter& p) { return p.name; }));
  }
  return static_cast<std::size_t>(found - specification.parameters.begin());
}

std::size_t output_index(const Specification& specification, std::string_view name) {
  const auto found = std::ranges::find(specification.outputs, name);
  if (found == specification.outputs.end()) {
    throw IndicatorError(std::string(specification.name) + ": unknown output '" + std::string(name) +
                         "'; it has: " + list(specification.outputs, [](std::string_view output) { return output; }));
  }
  return static_cast<std::size_t>(found - specification.outputs.begin());
}

std::unique_ptr<Indicator> make_indicator(const Specification& specification, std::span<const double> arguments) {
  if (arguments.size() != specification.parameters.size()) {
    throw IndicatorError(std::string(specification.name) + ": " + std::to_string(specification.parameters.size()) +
                         " arguments are needed, not " + std::to_string(arguments.size()));
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Parameter& parameter = specification.parameters[i];
    const double value = arguments[i];
    const bool inside = value >= parameter.minimum && value <= parameter.maximum;  // false for NaN
    if (inside && (!parameter.whole || value == std::floor(value))) continue;
    throw IndicatorError(std::string(specification.name) + ": " + std::string(parameter.name) + " must be a " +
                         (parameter.whole ? "whole number" : "number") + " from " + number(parameter.minimum) + " to " +
                         number(parameter.maximum) + ", not " + number(value));
  }
  return specification.create(arguments);
}

}  // namespace tradewind::indicators
