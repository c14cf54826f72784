// Bindings of the indicators and the feature engine. Arrays are checked here; the loops over them run without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "register.hpp"
#include "tradewind/features/engine.hpp"
#include "tradewind/indicators/registry.hpp"

namespace py = pybind11;

namespace {

using tradewind::Time;
using tradewind::features::BarColumns;
using tradewind::features::Definition;
using tradewind::features::Event;
using tradewind::features::FeatureEngine;
using tradewind::features::FeatureError;
using tradewind::indicators::Bar;
using tradewind::indicators::FixedBar;
using tradewind::indicators::Indicator;
using tradewind::indicators::IndicatorError;

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
// Integers are taken as they are: a float array here would mean a price that went through a double.
using Integers = py::array_t<std::int64_t, py::array::c_style>;

template <class T>
std::span<const T> one_dimension(const py::array_t<T, py::array::c_style>& array, std::size_t size, const char* name) {
  if (array.ndim() != 1 || static_cast<std::size_t>(array.size()) != size) {
    throw FeatureError(std::string("column '") + name + "' must have one dimension and the length of 'time'");
  }
  return {array.data(), size};
}

py::array_t<double> matrix(std::size_t rows, std::size_t columns) {
  return py::array_t<double>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(columns)});
}

py::array_t<double> vector(std::span<const double> values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

// ---- one indicator ----------------------------------------------------------------------------------------------

class NamedIndicator {
 public:
  NamedIndicator(const std::string& name, const std::map<std::string, double>& parameters)
      : specification_(tradewind::indicators::specification(name)) {
    std::vector<double> arguments;
    for (const auto& parameter : specification_.parameters) arguments.push_back(parameter.preset);
    for (const auto& [key, value] : parameters) {
      arguments[tradewind::indicators::parameter_index(specification_, key)] = value;
    }
    indicator_ = tradewind::indicators::make_indicator(specification_, arguments);
  }

  py::array_t<double> update(double open, double high, double low, double close, double volume, Time time,
                             double market) {
    indicator_->update(Bar{time, open, high, low, close, volume, market});
    return vector(indicator_->values());
  }

  py::array_t<double> batch(const std::vector<Doubles>& columns, const Integers& time) {
    if (columns.size() != 6) throw IndicatorError("batch takes open, high, low, close, volume and market");
    const auto rows = static_cast<std::size_t>(time.size());
    for (const Doubles& column : columns) {
      if (column.ndim() != 1 || static_cast<std::size_t>(column.size()) != rows) {
        throw IndicatorError("columns must have one dimension and equal lengths");
      }
    }
    const std::size_t width = specification_.outputs.size();
    auto result = matrix(rows, width);
    double* out = result.mutable_data();
    const Time* times = time.data();
    std::array<const double*, 6> c{};
    for (std::size_t i = 0; i < c.size(); ++i) c[i] = columns[i].data();
    const py::gil_scoped_release release;
    for (std::size_t i = 0; i < rows; ++i) {
      indicator_->update(Bar{times[i], c[0][i], c[1][i], c[2][i], c[3][i], c[4][i], c[5][i]});
      out = std::ranges::copy(indicator_->values(), out).out;
    }
    return result;
  }

  [[nodiscard]] int warm_up() const { return indicator_->warm_up(); }

 private:
  const tradewind::indicators::Specification& specification_;
  std::unique_ptr<Indicator> indicator_;
};

py::list list_specifications() {
  py::list all;
  for (const auto& each : tradewind::indicators::specifications()) {
    py::list parameters;
    for (const auto& p : each.parameters) {
      parameters.append(py::make_tuple(std::string(p.name), p.preset, p.minimum, p.maximum, p.whole));
    }
    py::list outputs;
    for (const auto output : each.outputs) outputs.append(std::string(output));
    all.append(py::make_tuple(std::string(each.name), each.arithmetic_version, parameters, outputs));
  }
  return all;
}

// ---- features ---------------------------------------------------------------------------------------------------

BarColumns columns_of(const std::vector<Integers>& arrays) {
  if (arrays.size() != 6) throw FeatureError("bars are given as time, open, high, low, close and volume");
  const auto size = static_cast<std::size_t>(arrays[0].size());
  return {one_dimension(arrays[0], size, "time"),  one_dimension(arrays[1], size, "open"),
          one_dimension(arrays[2], size, "high"),  one_dimension(arrays[3], size, "low"),
          one_dimension(arrays[4], size, "close"), one_dimension(arrays[5], size, "volume")};
}

using EventTuple = std::tuple<std::string, std::string, Time, double>;

py::array_t<double> batch(const std::vector<std::string>& names, const std::string& context_symbol,
                          const std::string& symbol, const std::vector<Integers>& bars,
                          const std::vector<Integers>& context, const std::vector<EventTuple>& events) {
  const BarColumns own = columns_of(bars);
  const BarColumns market = columns_of(context);
  std::vector<Event> known;
  known.reserve(events.size());
  for (const auto& [whose, type, time, impact] : events) known.push_back({whose, type, time, impact});
  auto result = matrix(own.time.size(), names.size());
  const std::span<double> out(result.mutable_data(), static_cast<std::size_t>(result.size()));
  const py::gil_scoped_release release;
  tradewind::features::compute_batch(names, context_symbol, symbol, own, market, known, out);
  return result;
}

void register_features(py::module_& m) {
  py::register_exception<FeatureError>(m, "FeatureError", PyExc_ValueError);
  py::class_<FeatureEngine>(m, "FeatureEngine")
      .def(py::init([](const std::vector<std::string>& names, const std::string& context_symbol) {
             return FeatureEngine(names, context_symbol);
           }),
           py::arg("names"), py::arg("context_symbol"))
      .def(
          "update_context",
          [](FeatureEngine& engine, Time time, std::int64_t open, std::int64_t high, std::int64_t low,
             std::int64_t close,
             std::int64_t volume) { engine.update_context({time, open, high, low, close, volume}); },
          py::arg("time"), py::arg("open"), py::arg("high"), py::arg("low"), py::arg("close"), py::arg("volume"))
      .def(
          "update",
          [](FeatureEngine& engine, const std::string& symbol, Time time, std::int64_t open, std::int64_t high,
             std::int64_t low, std::int64_t close,
             std::int64_t volume) { return vector(engine.update(symbol, {time, open, high, low, close, volume})); },
          py::arg("symbol"), py::arg("time"), py::arg("open"), py::arg("high"), py::arg("low"), py::arg("close"),
          py::arg("volume"))
      .def(
          "update_event",
          [](FeatureEngine& engine, const std::string& symbol, const std::string& type, Time available_time,
             double impact) { engine.update_event({symbol, type, available_time, impact}); },
          py::arg("symbol"), py::arg("type"), py::arg("available_time"), py::arg("impact"))
      .def_property_readonly("names", &FeatureEngine::names)
      .def_property_readonly("context_symbol", &FeatureEngine::context_symbol)
      .def_property_readonly("warm_up", &FeatureEngine::warm_up);
  m.def("compute_batch", &batch, py::arg("names"), py::arg("context_symbol"), py::arg("symbol"), py::arg("bars"),
        py::arg("context"), py::arg("events"));
  m.def(
      "feature_set_version",
      [](const std::vector<std::string>& names) { return tradewind::features::feature_set_version(names); },
      py::arg("names"));
  m.def(
      "describe_feature", [](const std::string& name) { return tradewind::features::parse_feature(name).canonical(); },
      py::arg("name"));
  m.def("known_features", &tradewind::features::known_features);
  m.def("default_features", [] {
    const auto names = tradewind::features::default_features();
    return std::vector<std::string>(names.begin(), names.end());
  });
}

}  // namespace

void register_indicators(py::module_& m) {
  auto indicators = m.def_submodule("indicators", "Technical indicators, one object per series.");
  py::register_exception<IndicatorError>(indicators, "IndicatorError", PyExc_ValueError);
  py::class_<NamedIndicator>(indicators, "Indicator")
      .def(py::init<const std::string&, const std::map<std::string, double>&>(), py::arg("name"), py::arg("parameters"))
      .def("update", &NamedIndicator::update, py::arg("open"), py::arg("high"), py::arg("low"), py::arg("close"),
           py::arg("volume"), py::arg("time"), py::arg("market"))
      .def("batch", &NamedIndicator::batch, py::arg("columns"), py::arg("time"))
      .def_property_readonly("warm_up", &NamedIndicator::warm_up);
  indicators.def("specifications", &list_specifications);
  auto features = m.def_submodule("features", "Bars and events in, feature vectors out.");
  register_features(features);
}
