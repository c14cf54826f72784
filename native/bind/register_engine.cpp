// Shell: Python's view of the order engine and its journal: dictionaries in, dictionaries out. Not the executor's hot
// path.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine_dicts.hpp"
#include "register.hpp"
#include "tradewind/engine/lifecycle.hpp"
#include "tradewind/engine/risk_gate.hpp"
#include "tradewind/journal/journal.hpp"

namespace py = pybind11;

namespace tradewind::binding {
namespace {

constexpr std::array kInputKinds = {"time", "bar", "intent", "broker", "control", "estimate", "session"};
constexpr std::array kRecordKinds = {"verdict", "order", "fill", "position", "account", "risk", "kill", "alert"};

py::dict input_dict(const Input& input) {
  py::dict out = std::visit([&](const auto& body) { return dict_of(body, nullptr); }, input.body);
  py::dict all;
  all["input"] = kInputKinds[input.body.index()];
  all["now"] = input.now;
  all["topic"] = input.topic;
  all["offset"] = input.offset;
  all["body"] = out;
  return all;
}

template <class Body>
void read_body(const py::dict& given, const char* where, Input& input) {
  FromDict visit(given, where);
  fields(visit, input.body.emplace<Body>());
  visit.done();
}

Input input_of(const py::dict& given) {
  const auto get = [&](const char* key) {
    if (!given.contains(key)) throw py::value_error(std::string("input.") + key + ": missing");
    return given[key];
  };
  for (const auto& item : given) {
    const auto key = item.first.cast<std::string>();
    if (key != "input" && key != "now" && key != "topic" && key != "offset" && key != "body") {
      throw py::value_error("input." + key + ": unknown key");
    }
  }
  Input input;
  input.now = get("now").cast<std::int64_t>();
  if (given.contains("topic")) input.topic = given["topic"].cast<std::uint8_t>();
  if (given.contains("offset")) input.offset = given["offset"].cast<std::int64_t>();
  const auto kind = get("input").cast<std::string>();
  const py::dict body = given.contains("body") ? given["body"].cast<py::dict>() : py::dict();
  if (kind == "time")
    read_body<TimeUpdate>(body, "time", input);
  else if (kind == "bar")
    read_body<BarUpdate>(body, "bar", input);
  else if (kind == "intent")
    read_body<Intent>(body, "intent", input);
  else if (kind == "broker")
    read_body<BrokerEvent>(body, "broker", input);
  else if (kind == "control")
    read_body<Control>(body, "control", input);
  else if (kind == "estimate")
    read_body<RiskEstimate>(body, "estimate", input);
  else if (kind == "session")
    read_body<SessionUpdate>(body, "session", input);
  else
    throw py::value_error("input.input: " + kind + " is none of time, bar, intent, broker, control, estimate, session");
  return input;
}

py::dict outputs_dict(const Outputs& outputs) {
  py::list requests, records;
  for (const auto& request : outputs.requests) {
    py::dict d;
    ToDict visit(d);
    fields(visit, request);
    requests.append(d);
  }
  for (const auto& record : outputs.records) {
    py::dict d = std::visit([](const auto& r) { return dict_of(r, nullptr); }, record);
    d["record"] = kRecordKinds[record.index()];
    records.append(d);
  }
  py::dict out;
  out["requests"] = requests;
  out["records"] = records;
  return out;
}

py::dict counts_dict(const EngineCounts& c) {
  py::dict rejections, out;
  for (std::size_t i = 0; i < kRejectCodeCount; ++i) {
    if (c.rejections[i] != 0) rejections[py::str(std::string(kRejectCodes[i].name))] = c.rejections[i];
  }
  out["inputs"] = c.inputs;
  out["intents"] = c.intents;
  out["accepted"] = c.accepted;
  out["rejected"] = c.rejected;
  out["orders"] = c.orders;
  out["fills"] = c.fills;
  out["rejections"] = rejections;
  return out;
}

// An engine in memory, for tests and backtests; with a path, every step is journalled first.
class PyEngine {
 public:
  PyEngine(const std::string& config, const std::optional<std::string>& journal, const std::string& sync) {
    EngineConfig parsed = parse_engine_config(config);
    if (journal) {
      const SyncPolicy policy = sync == "always"  ? SyncPolicy::kAlways
                                : sync == "batch" ? SyncPolicy::kBatch
                                                  : SyncPolicy::kNone;
      if (policy == SyncPolicy::kNone && sync != "none") throw py::value_error("sync: give none, batch or always");
      py::gil_scoped_release release;
      durable_ = std::make_unique<DurableEngine>(*journal, std::move(parsed), policy);
    } else {
      engine_ = std::make_unique<Engine>(std::move(parsed));
      engine_->reserve(outputs_);
    }
  }

  py::dict step(const py::dict& given) {
    const Input input = input_of(given);
    const Outputs* outputs = &outputs_;
    {
      py::gil_scoped_release release;
      if (durable_)
        outputs = &durable_->step(input);
      else
        engine_->step(input, outputs_);
    }
    return outputs_dict(*outputs);
  }
  [[nodiscard]] const Engine& engine() const { return durable_ ? std::as_const(*durable_).engine() : *engine_; }
  void reconfigure(const std::string& config) {
    if (durable_)
      durable_->reconfigure(parse_engine_config(config));
    else
      engine_->reconfigure(parse_engine_config(config));
  }
  [[nodiscard]] std::uint64_t last_sequence() const { return durable_ ? durable_->last_sequence() : 0; }

 private:
  std::unique_ptr<DurableEngine> durable_;
  std::unique_ptr<Engine> engine_;
  Outputs outputs_;
};

class PyJournal {
 public:
  PyJournal(const std::string& path, std::uint64_t after) : reader_(path), after_(after) {}

  py::dict next() {
    {
      py::gil_scoped_release release;
      while (reader_.sequence() < after_) {
        if (!reader_.skip()) break;
      }
      found_ = reader_.sequence() >= after_ && reader_.next(entry_);
    }
    if (!found_) throw py::stop_iteration();
    py::dict out = entry_.kind == EntryKind::kConfig ? py::dict() : outputs_dict(entry_.outputs);
    out["sequence"] = entry_.sequence;
    if (entry_.kind == EntryKind::kConfig)
      out["config"] = entry_.config;
    else
      out["input"] = input_dict(entry_.input);
    return out;
  }

 private:
  JournalReader reader_;
  std::uint64_t after_;
  bool found_ = false;
  JournalEntry entry_;
};

py::dict replay_journal(const std::string& path) {
  std::unique_ptr<Engine> engine;
  ReplayReport report;
  {
    py::gil_scoped_release release;
    report = replay(path, engine);
  }
  py::dict out;
  out["inputs"] = report.inputs;
  out["last_sequence"] = report.last_sequence;
  out["decision_hash"] = report.decision_hash;
  out["state_hash"] = report.state_hash;
  if (engine) {
    const EngineCounts& c = engine->counts();
    out["counts"] = counts_dict(c);
    out["account"] = dict_of(engine->account(), nullptr);
    out["config"] = canonical_json(engine->config());
  }
  return out;
}

py::list positions_list(const Engine& engine) {
  std::vector<PositionRecord> records;
  engine.positions(records);
  py::list out;
  for (const auto& r : records) out.append(dict_of(r, nullptr));
  return out;
}

py::list open_orders_list(const Engine& engine) {
  std::vector<OrderRecord> records;
  engine.open_orders(records);
  py::list out;
  for (const auto& r : records) out.append(dict_of(r, nullptr));
  return out;
}

}  // namespace
}  // namespace tradewind::binding

void register_engine(py::module_& m) {
  using namespace tradewind;
  using namespace tradewind::binding;
  py::register_exception<ConfigError>(m, "EngineConfigError", PyExc_ValueError);
  py::register_exception<JournalError>(m, "JournalError", PyExc_RuntimeError);

  py::class_<PyEngine>(m, "Engine", "The deterministic order engine; with a journal path, every step is written first.")
      .def(py::init<const std::string&, const std::optional<std::string>&, const std::string&>(), py::arg("config"),
           py::arg("journal") = py::none(), py::arg("sync") = "none")
      .def("step", &PyEngine::step, py::arg("input"))
      .def("reconfigure", &PyEngine::reconfigure, py::arg("config"))
      .def("risk", [](const PyEngine& e) { return dict_of(e.engine().risk(), nullptr); })
      .def("account", [](const PyEngine& e) { return dict_of(e.engine().account(), nullptr); })
      .def("positions", [](const PyEngine& e) { return positions_list(e.engine()); })
      .def(
          "check_order",
          [](const PyEngine& e, const std::string& symbol, std::int64_t quantity, std::int64_t limit_price) {
            const OrderType type = limit_price == 0 ? OrderType::kMarket : OrderType::kLimit;
            const Denial denial = e.engine().check_order(Symbol(symbol), Quantity{quantity}, type, Money{limit_price});
            py::dict out;
            out["code"] = std::string(to_string(denial.code));
            out["value"] = denial.value;
            out["limit"] = denial.limit;
            out["passes"] = denial.passes;
            out["message"] = denial.denied() ? denial.message().str() : std::string();
            return out;
          },
          py::arg("symbol"), py::arg("quantity"), py::arg("limit_price") = 0)
      .def("open_orders", [](const PyEngine& e) { return open_orders_list(e.engine()); })
      .def("counts", [](const PyEngine& e) { return counts_dict(e.engine().counts()); })
      .def(
          "next_offset", [](const PyEngine& e, std::uint8_t topic) { return e.engine().next_offset(topic); },
          py::arg("topic"))
      .def("check_invariants", [](const PyEngine& e) { return e.engine().check_invariants(); })
      .def_property_readonly("decision_hash", [](const PyEngine& e) { return e.engine().decision_hash(); })
      .def_property_readonly("state_hash", [](const PyEngine& e) { return e.engine().state_hash(); })
      .def_property_readonly("ready", [](const PyEngine& e) { return e.engine().ready(); })
      .def_property_readonly("kill_switch", [](const PyEngine& e) { return e.engine().kill_switch(); })
      .def_property_readonly("pending_requests", [](const PyEngine& e) { return e.engine().pending_requests(); })
      .def_property_readonly("working_orders", [](const PyEngine& e) { return e.engine().working_orders(); })
      .def_property_readonly("last_sequence", &PyEngine::last_sequence)
      .def_property_readonly("config", [](const PyEngine& e) { return canonical_json(e.engine().config()); });

  py::class_<PyJournal>(m, "JournalIterator")
      .def(
          "__iter__", [](PyJournal& j) -> PyJournal& { return j; }, py::return_value_policy::reference_internal)
      .def("__next__", &PyJournal::next);

  m.def(
      "read_journal",
      [](const std::string& path, std::uint64_t after) { return std::make_unique<PyJournal>(path, after); },
      py::arg("path"), py::arg("after") = 0,
      "Records of a journal after a sequence. Ends at the end; next() may be asked again.");
  m.def("replay_journal", &replay_journal, py::arg("path"),
        "Feeds a journal to a fresh engine and compares every output with the recorded one.");
  m.def(
      "canonical_engine_config", [](const std::string& config) { return canonical_json(parse_engine_config(config)); },
      py::arg("config"));
  m.def("reject_codes", [] {
    std::vector<std::pair<std::string, std::string>> codes;
    codes.reserve(kRejectCodes.size());
    for (const auto& info : kRejectCodes) codes.emplace_back(info.name, info.meaning);
    return codes;
  });
  m.def("risk_check_names", [] {
    std::vector<std::string> names;
    names.reserve(risk_checks().size());
    for (const auto& check : risk_checks()) names.emplace_back(check.name);
    return names;
  });
  m.def("limit_names", &limit_names);
  m.def("order_lifecycle_markdown", &lifecycle_markdown);
}
