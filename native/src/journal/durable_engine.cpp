// Shell: an engine and its journal as one: replayed when opened, written before anyone sees an output.
#include "tradewind/journal/codec.hpp"
#include "tradewind/journal/journal.hpp"

namespace tradewind {

ReplayReport replay(const std::filesystem::path& path, std::unique_ptr<Engine>& engine) {
  JournalReader reader(path);
  ReplayReport report;
  JournalEntry entry;
  Outputs outputs;
  Bytes bytes;
  const auto refuse = [&](const std::string& what) {
    throw JournalError("journal " + path.string() + ": record " + std::to_string(entry.sequence) + " " + what);
  };
  while (reader.next_input(entry)) {
    report.last_sequence = entry.sequence;
    if (entry.kind == EntryKind::kConfig) {
      try {
        EngineConfig config = parse_engine_config(entry.config);
        if (engine == nullptr) {
          engine = std::make_unique<Engine>(std::move(config));
        } else {
          engine->reconfigure(std::move(config));
        }
      } catch (const ConfigError& error) {
        refuse("holds a configuration that is refused (" + std::string(error.what()) +
               "); use the version that wrote it");
      }
      engine->reserve(outputs);
      continue;
    }
    if (engine == nullptr) refuse("comes before any configuration; the journal was not written by an engine");
    engine->step(entry.input, outputs);
    ++report.inputs;
    bytes.clear();
    encode(outputs, bytes);
    if (bytes != reader.outputs_bytes()) {
      refuse("was answered differently when it was written; replay it with the version that wrote it");
    }
  }
  if (engine != nullptr) {
    report.decision_hash = engine->decision_hash();
    report.state_hash = engine->state_hash();
  }
  return report;
}

DurableEngine::DurableEngine(const std::filesystem::path& path, EngineConfig config, SyncPolicy sync, Locked locked) {
  validate(config);
  const std::string wanted = canonical_json(config);
  writer_ = std::make_unique<JournalWriter>(path, config.account, sync, locked);
  if (writer_->last_sequence() > 0) replayed_ = replay(path, engine_);
  if (engine_ == nullptr) {
    engine_ = std::make_unique<Engine>(std::move(config));
    writer_->append_config(wanted);
  } else if (canonical_json(engine_->config()) != wanted) {
    engine_->reconfigure(std::move(config));
    writer_->append_config(wanted);
  }
  engine_->reserve(outputs_);
}

DurableEngine::~DurableEngine() = default;

const Outputs& DurableEngine::step(const Input& input) {
  engine_->step(input, outputs_);
  writer_->append(input, outputs_);
  return outputs_;
}

void DurableEngine::reconfigure(EngineConfig config) {
  validate(config);
  const std::string wanted = canonical_json(config);
  if (wanted == canonical_json(engine_->config())) return;
  engine_->reconfigure(std::move(config));
  writer_->append_config(wanted);
  engine_->reserve(outputs_);
}

}  // namespace tradewind
