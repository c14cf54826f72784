// Shell: the executor of the live order path, for Python. The interpreter lock is free while anything waits.
#include <pybind11/stl.h>

#include <array>
#include <cmath>
#include <optional>

#include "engine_dicts.hpp"
#include "register.hpp"
#include "tradewind/engine/scenarios.hpp"
#include "tradewind/runtime/executor_runtime.hpp"
#include "tradewind/runtime/risk_gate_timing.hpp"
#include "tradewind/runtime/trade_update_timing.hpp"

namespace tradewind::binding {
namespace {

using namespace py::literals;

// Topics as Input::topic counts them.
constexpr std::uint8_t kBars = 1, kIntents = 2, kControl = 3;

// In the order of Record's alternatives.
constexpr std::array kRecordKinds = {"verdict", "order", "fill", "position", "account", "risk", "kill", "alert"};
static_assert(kRecordKinds.size() == std::variant_size_v<Record>);

// In the order of ControlKind.
constexpr std::array kControlWords = {"",         "halt",    "resume",  "pause",      "flush",
                                      "shutdown", "started", "stopped", "lease lost", "lease held"};
static_assert(kControlWords.size() == static_cast<std::size_t>(ControlKind::kLeaseHeld) + 1);

template <std::size_t N>
void set(FixedString<N>& target, std::string_view value, const char* field) {
  if (!target.assign(value)) {
    throw py::value_error(std::string(field) + ": longer than " + std::to_string(N) + " bytes: \"" +
                          std::string(value) + "\"");
  }
}

[[nodiscard]] Input input_of(std::optional<Time> now, std::uint8_t topic, std::int64_t offset) {
  Input input;
  input.now = now.value_or(0);
  input.topic = topic;
  input.offset = offset;
  return input;
}

[[nodiscard]] ControlKind control_kind(const std::string& word) {
  for (std::size_t i = 1; i < kControlWords.size(); ++i) {
    if (word == kControlWords[i]) return static_cast<ControlKind>(i);
  }
  throw py::value_error("kind: \"" + word + "\" is no command");
}

[[nodiscard]] std::chrono::nanoseconds seconds(double value) {
  if (!(value >= 0) || value > 86'400) throw py::value_error("timeout: expected 0 to 86400 seconds");
  return std::chrono::nanoseconds(std::llround(value * 1e9));
}

void push_one(ExecutorRuntime& runtime, const Input& input) {
  const py::gil_scoped_release free;
  runtime.push(input);
}

void push_bar(ExecutorRuntime& runtime, const std::string& symbol, Time event_time, std::int64_t open,
              std::int64_t high, std::int64_t low, std::int64_t close, std::int64_t volume, bool context,
              std::int64_t volatility_index, std::optional<Time> now, std::int64_t offset) {
  Input input = input_of(now, kBars, offset);
  auto& bar = input.body.emplace<BarUpdate>();
  set(bar.symbol, symbol, "symbol");
  bar.event_time = event_time;
  bar.open.raw = open;
  bar.high.raw = high;
  bar.low.raw = low;
  bar.close.raw = close;
  bar.volume = volume;
  bar.context = context;
  bar.volatility_index = volatility_index;
  push_one(runtime, input);
}

void push_intent(ExecutorRuntime& runtime, const std::string& id, const std::string& strategy,
                 const std::string& symbol, std::int64_t target, Time decision_time, Time valid_until, int order_type,
                 int time_in_force, std::int64_t limit_price, std::int64_t reference_price, bool champion,
                 bool gates_passed, const std::string& model, const std::string& model_version, std::int64_t stop_price,
                 std::int64_t trail_price, std::int64_t trail_ratio, bool extended_hours, std::int64_t target_notional,
                 std::int64_t stop_loss, std::int64_t take_profit, const std::array<std::int64_t, 7>& plan,
                 std::optional<Time> now, std::int64_t offset, bool flush) {
  Input inputs[2] = {input_of(now, kIntents, offset), input_of(now, 0, -1)};
  auto& intent = inputs[0].body.emplace<Intent>();
  set(intent.id, id, "id");
  set(intent.strategy, strategy, "strategy");
  set(intent.symbol, symbol, "symbol");
  set(intent.model, model, "model");
  set(intent.model_version, model_version, "model_version");
  intent.target.raw = target;
  intent.decision_time = decision_time;
  intent.valid_until = valid_until;
  intent.order_type = static_cast<OrderType>(order_type);
  intent.time_in_force = static_cast<TimeInForce>(time_in_force);
  intent.limit_price.raw = limit_price;
  intent.reference_price.raw = reference_price;
  intent.champion = champion;
  intent.gates_passed = gates_passed;
  intent.terms = {Money{stop_price}, Money{trail_price}, trail_ratio, extended_hours};
  intent.target_notional.raw = target_notional;
  intent.stop_loss.raw = stop_loss;
  intent.take_profit.raw = take_profit;
  // A number that no algorithm has must not become one that is known.
  const bool known = plan[0] >= 0 && plan[0] <= static_cast<std::int64_t>(Algorithm::kSmart);
  // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): the engine refuses what it does not know
  constexpr auto kUnknown = static_cast<Algorithm>(255);
  intent.plan = {
      known ? static_cast<Algorithm>(plan[0]) : kUnknown, plan[1], plan[2], plan[3], plan[4], plan[5], plan[6]};
  inputs[1].body.emplace<Control>().kind = ControlKind::kFlush;
  const py::gil_scoped_release free;
  runtime.push(inputs, flush ? 2 : 1);
}

using EstimateRow = std::tuple<std::string, std::string, std::vector<std::int64_t>>;

void push_estimates(ExecutorRuntime& runtime, const std::vector<EstimateRow>& rows, Time time,
                    std::optional<Time> now) {
  std::vector<Input> inputs;
  for (const auto& [symbol, group, returns] : rows) {
    auto& row = inputs.emplace_back(input_of(now, 0, -1)).body.emplace<RiskEstimate>();
    set(row.symbol, symbol, "symbol");
    set(row.group, group, "group");
    row.time = time;
    row.first = inputs.size() == 1;
    row.last = inputs.size() == rows.size();
    if (returns.size() > kScenarios) throw py::value_error("returns: at most " + std::to_string(kScenarios) + " fit");
    row.count = static_cast<std::uint8_t>(returns.size());
    std::transform(returns.begin(), returns.end(), row.returns.begin(), [](std::int64_t r) {
      return static_cast<std::int32_t>(std::clamp<std::int64_t>(r, -kMaxReturn, kMaxReturn));
    });
  }
  const py::gil_scoped_release free;
  runtime.push(inputs.data(), inputs.size());
}

void push_session(ExecutorRuntime& runtime, Time open, Time close, Time next_open, std::optional<Time> now) {
  Input input = input_of(now, 0, -1);
  input.body = SessionUpdate{open, close, next_open};
  push_one(runtime, input);
}

void push_control(ExecutorRuntime& runtime, const std::string& kind, const std::string& issued_by,
                  const std::string& reason, bool flatten, std::optional<Time> now, std::int64_t offset) {
  Input input = input_of(now, kControl, offset);
  auto& control = input.body.emplace<Control>();
  control.kind = control_kind(kind);
  set(control.issued_by, issued_by, "issued_by");
  set(control.reason, reason, "reason");
  control.flatten = flatten;
  push_one(runtime, input);
}

[[nodiscard]] py::list drain(ExecutorRuntime& runtime, std::uint64_t after_sequence, std::size_t max_records) {
  std::vector<JournalEntry> entries;
  {
    const py::gil_scoped_release free;
    entries = runtime.drain(after_sequence, max_records);
  }
  py::list out;
  for (const JournalEntry& entry : entries) {
    const auto add = [&](py::dict row, const char* kind) {
      row["record"] = kind;
      row["sequence"] = entry.sequence;
      row["now"] = entry.input.now;
      row["topic"] = entry.input.topic;
      row["offset"] = entry.input.offset;
      out.append(row);
    };
    if (entry.kind == EntryKind::kConfig) {
      add(py::dict("config"_a = entry.config), "config");
      continue;
    }
    if (const auto* control = std::get_if<Control>(&entry.input.body); control != nullptr && is_command(*control)) {
      add(dict_of(*control, nullptr), "control");
    }
    for (const Record& record : entry.outputs.records) {
      add(std::visit([](const auto& body) { return dict_of(body, nullptr); }, record), kRecordKinds[record.index()]);
    }
  }
  return out;
}

[[nodiscard]] py::dict by_code(const std::array<std::uint64_t, kRejectCodeCount>& rejections) {
  py::dict out;
  for (std::size_t i = 0; i < kRejectCodeCount; ++i) {
    const std::string_view name = kRejectCodes[i].name;
    if (rejections[i] != 0) out[py::str(name.data(), name.size())] = rejections[i];
  }
  return out;
}

[[nodiscard]] py::dict stats(ExecutorRuntime& runtime) {
  ExecutorStats stats;
  {
    const py::gil_scoped_release free;
    stats = runtime.stats();
  }
  py::dict out;
  out["inputs"] = stats.counts.inputs;
  out["intents"] = stats.counts.intents;
  out["accepted"] = stats.counts.accepted;
  out["rejected"] = stats.counts.rejected;
  out["orders"] = stats.counts.orders;
  out["fills"] = stats.counts.fills;
  out["rejections"] = by_code(stats.counts.rejections);
  out["last_sequence"] = stats.last_sequence;
  out["working_orders"] = stats.working_orders;
  out["outstanding"] = stats.outstanding;
  out["decision_hash"] = stats.decision_hash;
  out["state_hash"] = stats.state_hash;
  out["broken_invariant"] = stats.broken_invariant;
  out["risk"] = dict_of(stats.risk, nullptr);
  out["account"] = dict_of(stats.account, nullptr);
  py::list remains;
  for (const Remains& left : stats.remains) {
    py::dict entry;
    entry["strategy"] = left.strategy.str();
    entry["orders"] = left.orders;
    entry["positions"] = left.positions;
    entry["refused"] = std::string(left.refused == RejectCode::kOk ? std::string_view() : to_string(left.refused));
    remains.append(entry);
  }
  out["remains"] = remains;
  py::list strategies;
  for (const StrategyRecord& record : stats.strategies) {
    strategies.append(py::dict("strategy"_a = record.strategy.str(), "intents"_a = record.intents,
                               "trades"_a = record.trades, "rejections"_a = by_code(record.rejections)));
  }
  out["strategies"] = strategies;
  return out;
}

[[nodiscard]] py::dict latency_dict(const LatencyHistogram& histogram) {
  py::dict out;
  out["count"] = histogram.count();
  out["p50"] = histogram.quantile(0.5);
  out["p99"] = histogram.quantile(0.99);
  out["p99.9"] = histogram.quantile(0.999);
  out["max"] = histogram.max();
  return out;
}

[[nodiscard]] py::dict latencies(const ExecutorRuntime& runtime) {
  const HopLatencies& hops = runtime.latencies();
  py::dict out;
  out["queue"] = latency_dict(hops.queue);
  out["decide"] = latency_dict(hops.decide);
  out["wait"] = latency_dict(hops.wait);
  out["encode"] = latency_dict(hops.encode);
  out["write"] = latency_dict(hops.write);
  out["total"] = latency_dict(hops.total);
  out["answer"] = latency_dict(hops.answer);
  return out;
}

[[nodiscard]] py::dict offsets(ExecutorRuntime& runtime) {
  std::int64_t next[4] = {};
  {
    const py::gil_scoped_release free;
    for (const std::uint8_t topic : {kBars, kIntents, kControl}) next[topic] = runtime.next_offset(topic);
  }
  py::dict out;
  out["bars"] = next[kBars];
  out["intents"] = next[kIntents];
  out["control"] = next[kControl];
  return out;
}

[[nodiscard]] py::list positions(ExecutorRuntime& runtime) {
  std::vector<PositionRecord> rows;
  {
    const py::gil_scoped_release free;
    runtime.positions(rows);
  }
  py::list out;
  for (const PositionRecord& row : rows) out.append(dict_of(row, nullptr));
  return out;
}

}  // namespace
}  // namespace tradewind::binding

void register_link(pybind11::module_& m) {
  namespace py = pybind11;
  using namespace py::literals;
  using namespace tradewind;
  namespace twpy = tradewind::binding;

  // Every error a user can cause is one Python exception with one clear line.
  py::register_exception<ExecutorError>(m, "ExecutorError", PyExc_RuntimeError);
  const auto free = py::call_guard<py::gil_scoped_release>();

  py::class_<ExecutorRuntime>(m, "Executor")
      .def(py::init([](const std::string& config) {
             try {
               return std::make_unique<ExecutorRuntime>(parse_executor_config(config));
             } catch (const std::runtime_error& error) {
               throw ExecutorError(error.what());
             }
           }),
           "config_json"_a)
      .def(
          "start",
          [](ExecutorRuntime& runtime) {
            try {
              runtime.start();
            } catch (const std::runtime_error& error) {
              throw ExecutorError(error.what());
            }
          },
          free)
      .def("stop", &ExecutorRuntime::stop, free)
      .def("push_bar", &twpy::push_bar, "symbol"_a, "event_time"_a, "open"_a, "high"_a, "low"_a, "close"_a, "volume"_a,
           "context"_a = false, "volatility_index"_a = 0, py::kw_only(), "now"_a = py::none(), "offset"_a = -1)
      .def("push_intent", &twpy::push_intent, py::kw_only(), "id"_a, "strategy"_a, "symbol"_a, "target"_a,
           "decision_time"_a, "valid_until"_a, "order_type"_a = 1, "time_in_force"_a = 1, "limit_price"_a = 0,
           "reference_price"_a = 0, "champion"_a = false, "gates_passed"_a = false, "model"_a = "",
           "model_version"_a = "", "stop_price"_a = 0, "trail_price"_a = 0, "trail_ratio"_a = 0,
           "extended_hours"_a = false, "target_notional"_a = 0, "stop_loss"_a = 0, "take_profit"_a = 0,
           "plan"_a = std::array<std::int64_t, 7>{}, "now"_a = py::none(), "offset"_a = -1, "flush"_a = false)
      .def("push_estimates", &twpy::push_estimates, "rows"_a, "time"_a, py::kw_only(), "now"_a = py::none())
      .def("push_session", &twpy::push_session, "open"_a, "close"_a, "next_open"_a, py::kw_only(), "now"_a = py::none())
      .def("push_control", &twpy::push_control, "kind"_a, "issued_by"_a = "", "reason"_a = "", "flatten"_a = false,
           py::kw_only(), "now"_a = py::none(), "offset"_a = -1)
      .def(
          "push_time",
          [](ExecutorRuntime& runtime, std::optional<Time> now) {
            twpy::push_one(runtime, twpy::input_of(now, 0, -1));
          },
          "now"_a = py::none())
      .def(
          "wait_idle",
          [](ExecutorRuntime& runtime, double timeout) { return runtime.wait_idle(twpy::seconds(timeout)); },
          "timeout"_a, free)
      .def(
          "wait_stream",
          [](ExecutorRuntime& runtime, std::uint64_t event_id, double timeout) {
            return runtime.wait_stream(event_id, twpy::seconds(timeout));
          },
          "event_id"_a, "timeout"_a, free)
      .def("extend_lease", &ExecutorRuntime::extend_lease, "until"_a, free)
      .def("drain", &twpy::drain, "after_sequence"_a, "max_records"_a)
      .def("ready", &ExecutorRuntime::ready)
      .def(
          "decision_hash", [](ExecutorRuntime& runtime) { return runtime.stats().decision_hash; }, free)
      .def("stats", &twpy::stats)
      .def("latencies", &twpy::latencies)
      .def("offsets", &twpy::offsets)
      .def("positions", &twpy::positions)
      .def(
          "reconfigure",
          [](ExecutorRuntime& runtime, const std::string& engine_json) {
            try {
              runtime.reconfigure(parse_engine_config(engine_json));
            } catch (const std::runtime_error& error) {
              throw ExecutorError(error.what());
            }
          },
          "engine_json"_a, free);

  m.def(
      "bench_trade_updates",
      [](const std::string& engine_json, const std::string& directory, std::uint64_t frames) {
        TradeUpdateTiming timing;
        {
          const py::gil_scoped_release release;
          time_trade_updates(parse_engine_config(engine_json), directory, frames, timing);
        }
        py::dict out;
        out["parse"] = twpy::latency_dict(timing.parse);
        out["books"] = twpy::latency_dict(timing.books);
        out["fills"] = timing.fills;
        return out;
      },
      "engine_json"_a, "directory"_a, "frames"_a);
  m.def(
      "bench_risk_gate",
      [](const std::string& engine_json, std::size_t open_orders, std::uint64_t checks) {
        RiskGateTiming timing;
        {
          const py::gil_scoped_release release;
          time_risk_gate(parse_engine_config(engine_json), open_orders, checks, timing);
        }
        py::dict out = twpy::latency_dict(timing.check);
        out["accepted"] = timing.accepted;
        out["working"] = timing.working;
        out["clock_ns"] = timing.clock_ns;
        return out;
      },
      "engine_json"_a, "open_orders"_a, "checks"_a);
}
