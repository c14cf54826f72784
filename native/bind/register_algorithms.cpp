// Shell: the execution algorithms for Python: the engine's own schedules, one at a time.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "register.hpp"
#include "tradewind/algorithms/almgren_chriss.hpp"
#include "tradewind/algorithms/schedule.hpp"
#include "tradewind/algorithms/smart_routing.hpp"
#include "tradewind/algorithms/vwap.hpp"

namespace tradewind::binding {
namespace {

namespace py = pybind11;

ExecutionPlan plan_of(int algorithm, std::int64_t duration, std::int64_t interval, std::int64_t urgency,
                      std::int64_t participation, std::int64_t jitter, std::int64_t risk_rate) {
  ExecutionPlan plan{static_cast<Algorithm>(algorithm), duration, interval, urgency, participation, jitter, risk_rate};
  if (algorithm <= 0 || plan.algorithm >= Algorithm::kSmart) {
    throw py::value_error("algorithm: give TWAP, VWAP, IMPLEMENTATION_SHORTFALL, PARTICIPATION or ADAPTIVE");
  }
  if (const auto fault = plan_fault(plan); !fault.empty()) throw py::value_error(std::string(fault));
  return plan;
}

Schedule schedule_of(int algorithm, std::int64_t total, std::int64_t increment, Time start, std::int64_t duration,
                     std::int64_t interval, std::int64_t urgency, std::int64_t participation, std::int64_t jitter,
                     std::int64_t risk_rate, const std::string& seed, const MarketTape& tape) {
  if (total < 0 || increment < 1) throw py::value_error("total, increment: give at least 0 and at least 1");
  const ExecutionPlan plan = plan_of(algorithm, duration, interval, urgency, participation, jitter, risk_rate);
  return {plan, total, increment, start, seed_of(seed), tape};
}

void register_tape(py::module_& m) {
  py::class_<MarketTape>(m, "MarketTape")
      .def(py::init<>())
      .def(
          "add",
          [](MarketTape& tape, Time time, std::int64_t close, std::int64_t volume) {
            tape.add(time, Money{close}, volume);
          },
          py::arg("time"), py::arg("close"), py::arg("volume"))
      .def(
          "expected_volume", [](const MarketTape& tape, Time from, Time to) { return tape.curve().expected(from, to); },
          py::arg("start"), py::arg("end"))
      .def_property_readonly("days", [](const MarketTape& tape) { return tape.curve().days(); })
      .def_property_readonly("total_volume", &MarketTape::total_volume)
      .def_property_readonly("average_volume", &MarketTape::average_volume)
      .def_property_readonly("variance_ratio", &MarketTape::variance_ratio)
      .def_property_readonly("volume_ratio", &MarketTape::volume_ratio);
}

void register_schedule(py::module_& m) {
  py::class_<Schedule>(m, "Schedule")
      .def(py::init(&schedule_of), py::arg("algorithm"), py::arg("total"), py::arg("increment"), py::arg("start"),
           py::arg("duration"), py::arg("interval"), py::arg("urgency"), py::arg("participation"), py::arg("jitter"),
           py::arg("risk_rate"), py::arg("seed"), py::arg("tape"))
      .def("advance", &Schedule::advance, py::arg("now"), py::arg("executed"), py::arg("tape"))
      .def("resize", &Schedule::resize, py::arg("total"))
      .def(
          "begin", [](const Schedule& s, std::int64_t slice) { return s.clock().begin(slice); }, py::arg("slice"))
      .def_property_readonly("slices", [](const Schedule& s) { return s.clock().count(); })
      .def_property_readonly("released", &Schedule::released)
      .def_property_readonly("total", &Schedule::total);
}

}  // namespace
}  // namespace tradewind::binding

void register_algorithms(pybind11::module_& m) {
  using namespace tradewind;
  using namespace tradewind::binding;
  auto algorithms = m.def_submodule("algorithms", "Execution algorithms: how an order is spread over time.");
  register_tape(algorithms);
  register_schedule(algorithms);
  algorithms.def(
      "almgren_chriss_rate",
      [](double risk_aversion, double daily_volatility, double temporary, double permanent, std::int64_t interval) {
        return almgren_chriss_rate({risk_aversion, daily_volatility, temporary, permanent}, interval);
      },
      py::arg("risk_aversion"), py::arg("daily_volatility"), py::arg("temporary"), py::arg("permanent"),
      py::arg("interval"));
  algorithms.def(
      "vwap_target",
      [](std::int64_t observed, std::int64_t before, std::int64_t slice, std::int64_t after) {
        const Share share = vwap_target({observed, before, slice, after});
        return py::make_tuple(share.numerator, share.denominator);
      },
      py::arg("observed"), py::arg("before"), py::arg("slice"), py::arg("after"));
  algorithms.def(
      "smart_route",
      [](std::int64_t quantity, std::int64_t urgency, const MarketTape& tape) {
        const Route route = smart_route(quantity, urgency, tape);
        return py::make_tuple(static_cast<int>(route.algorithm), static_cast<int>(route.order_type));
      },
      py::arg("quantity"), py::arg("urgency"), py::arg("tape"));
}
