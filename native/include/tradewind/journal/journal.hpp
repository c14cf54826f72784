// Shell: the append-only file that an executor can be rebuilt from. Every input is written, with what the engine
// answered, before anything is sent. A torn tail (the process died in a write) is cut; any other damage refuses to
// open.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tradewind/engine/engine.hpp"

namespace tradewind {

// One clear line: the file, the record and the fix.
class JournalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// When data is forced to the disk. Without it a journal survives SIGKILL, not a power loss.
enum class SyncPolicy : std::uint8_t { kNone = 0, kBatch = 1, kAlways = 2 };

// What to do with a journal that another process has locked. Taking it over goes on with a copy under the same name;
// what that process appends from then on is nobody's. Only for who holds the account's lease: the other one may not
// send.
enum class Locked : std::uint8_t { kRefuse = 0, kTakeOver = 1 };

enum class EntryKind : std::uint8_t { kStep = 1, kConfig = 2 };

struct JournalEntry {
  std::uint64_t sequence = 0;  // from 1, without gaps
  EntryKind kind = EntryKind::kStep;
  Input input;         // kStep
  Outputs outputs;     // kStep: what the engine answered
  std::string config;  // kConfig: canonical JSON, in force from here on
};

class JournalReader {
 public:
  explicit JournalReader(const std::filesystem::path& path);  // throws JournalError
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  // False at the end (a torn tail is the end). Throws JournalError on damage.
  bool next(JournalEntry& entry);
  // The same without decoding the outputs' bytes into `entry`; they stay readable as outputs_bytes().
  bool next_input(JournalEntry& entry);
  bool skip();  // checks the record and decodes nothing
  [[nodiscard]] const std::vector<std::uint8_t>& outputs_bytes() const;
  [[nodiscard]] std::uint64_t valid_bytes() const;  // end of the last whole record read
  [[nodiscard]] std::uint64_t sequence() const;     // of the last record read
  [[nodiscard]] const std::string& account() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class JournalWriter {
 public:
  // Creates the file, or cuts a torn tail and continues it. Takes an exclusive lock: one writer per journal. Throws
  // JournalError.
  JournalWriter(const std::filesystem::path& path, const std::string& account, SyncPolicy sync,
                Locked locked = Locked::kRefuse);
  ~JournalWriter();
  JournalWriter(const JournalWriter&) = delete;
  JournalWriter& operator=(const JournalWriter&) = delete;

  // Returns the sequence once write() has taken the record. Throws JournalError: then nothing may be sent.
  std::uint64_t append(const Input& input, const Outputs& outputs);
  std::uint64_t append_config(const std::string& canonical_json);
  void sync();  // kBatch: the caller says where a batch ends
  [[nodiscard]] std::uint64_t last_sequence() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ReplayReport {
  std::uint64_t inputs = 0;
  std::uint64_t last_sequence = 0;
  std::string decision_hash;
  std::string state_hash;
};

// Feeds a journal to a fresh engine and compares every recomputed output with the recorded one. Throws JournalError
// that names the sequence of the first difference. The journal's own configuration is used.
[[nodiscard]] ReplayReport replay(const std::filesystem::path& path, std::unique_ptr<Engine>& engine);

// An engine whose every step is in its journal before the caller sees the outputs. Opening replays what is there. A
// changed configuration is itself journalled and in force from the next step on.
class DurableEngine {
 public:
  // Throws JournalError, ConfigError.
  DurableEngine(const std::filesystem::path& path, EngineConfig config, SyncPolicy sync,
                Locked locked = Locked::kRefuse);
  ~DurableEngine();

  // Valid until the next step. Send outputs.requests only after this returns.
  const Outputs& step(const Input& input);
  // Limits, symbols or strategies while running: journalled, in force from the next step on. Throws ConfigError
  // (nothing changes).
  void reconfigure(EngineConfig config);
  void sync() { writer_->sync(); }
  [[nodiscard]] const Engine& engine() const { return *engine_; }
  [[nodiscard]] std::uint64_t last_sequence() const { return writer_->last_sequence(); }
  [[nodiscard]] const ReplayReport& replayed() const { return replayed_; }

 private:
  std::unique_ptr<JournalWriter> writer_;
  std::unique_ptr<Engine> engine_;
  ReplayReport replayed_;
  Outputs outputs_;
};

}  // namespace tradewind
