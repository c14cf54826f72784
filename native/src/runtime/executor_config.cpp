// Core: see executor_config.hpp.
#include "tradewind/runtime/executor_config.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <initializer_list>

namespace tradewind {

namespace json = boost::json;

namespace {

// One section: every key must be known, and is asked for by name.
class Section {
 public:
  Section(const json::object& parent, const char* name, std::initializer_list<std::string_view> known) : name_(name) {
    const json::value* found = parent.if_contains(name);
    if (found == nullptr) throw ConfigError(std::string("executor configuration: \"") + name + "\" is missing");
    object_ = found->if_object();
    if (object_ == nullptr)
      throw ConfigError(std::string("executor configuration: \"") + name + "\" must be an object");
    for (const auto& [key, value] : *object_) {
      if (std::find(known.begin(), known.end(), std::string_view(key)) == known.end()) {
        throw ConfigError("unknown key \"" + name_ + "." + std::string(key) + "\": remove it");
      }
    }
  }

  void read(const char* key, std::string& target, bool required = false) const {
    const json::value* value = find(key, required);
    if (value == nullptr) return;
    if (!value->is_string()) refuse(key, "a string");
    target = std::string(value->as_string());
  }
  void read(const char* key, int& target) const {
    const json::value* value = find(key, false);
    if (value == nullptr) return;
    if (!value->is_int64() || value->as_int64() < 0 || value->as_int64() > 1'000'000)
      refuse(key, "a whole number of 0 or more");
    target = static_cast<int>(value->as_int64());
  }
  void read(const char* key, std::chrono::milliseconds& target) const {
    int count = static_cast<int>(target.count());
    read(key, count);
    target = std::chrono::milliseconds(count);
  }
  // The index of the value among `words`; `fallback` when the key is absent.
  [[nodiscard]] std::size_t choose(const char* key, std::initializer_list<std::string_view> words,
                                   std::size_t fallback) const {
    std::string given(words.begin()[fallback]);
    read(key, given);
    const auto found = std::find(words.begin(), words.end(), given);
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    std::string expected;
    for (const std::string_view word : words) expected += (expected.empty() ? "" : ", ") + std::string(word);
    refuse(key, ("one of " + expected).c_str());
  }

 private:
  // Null stands for absent.
  [[nodiscard]] const json::value* find(const char* key, bool required) const {
    const json::value* value = object_->if_contains(key);
    if (value != nullptr && !value->is_null()) return value;
    if (required) throw ConfigError("\"" + name_ + "." + key + "\" is missing");
    return nullptr;
  }
  [[noreturn]] void refuse(const char* key, const char* expected) const {
    throw ConfigError(name_ + "." + key + ": expected " + expected);
  }

  std::string name_;
  const json::object* object_;
};

void read_broker(const json::object& root, BrokerConfig& broker) {
  const Section section(root, "broker",
                        {"url", "stream_url", "key_id", "secret", "ca_file", "requests_per_minute", "cancel_reserve",
                         "timeout_ms", "retry_ms", "connections"});
  section.read("url", broker.url, true);
  section.read("stream_url", broker.stream_url);
  section.read("key_id", broker.key_id, true);
  section.read("secret", broker.secret, true);
  section.read("ca_file", broker.ca_file);
  section.read("requests_per_minute", broker.requests_per_minute);
  section.read("cancel_reserve", broker.cancel_reserve);
  section.read("timeout_ms", broker.timeout);
  section.read("retry_ms", broker.retry);
  section.read("connections", broker.connections);
}

void read_threads(const json::object& root, ThreadConfig& threads) {
  if (!root.contains("threads")) return;
  const Section section(root, "threads", {"wait", "cpu", "clock"});
  threads.spinning = section.choose("wait", {"blocking", "spinning"}, 0) == 1;
  threads.clock = section.choose("clock", {"wall", "virtual"}, 0) == 1 ? Clock::kVirtual : Clock::kWall;
  section.read("cpu", threads.cpu);
}

}  // namespace

ExecutorConfig parse_executor_config(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) throw ConfigError("executor configuration: expected a JSON object");
  const json::object& root = parsed.as_object();
  for (const auto& [key, value] : root) {
    if (key != "engine" && key != "journal" && key != "broker" && key != "threads" && key != "lease") {
      throw ConfigError("unknown key \"" + std::string(key) + "\" in the executor configuration: remove it");
    }
  }
  ExecutorConfig config;
  const json::value* engine = root.if_contains("engine");
  if (engine == nullptr) throw ConfigError("executor configuration: \"engine\" is missing");
  config.engine = parse_engine_config(json::serialize(*engine));
  const Section journal(root, "journal", {"directory", "sync"});
  std::string directory;
  journal.read("directory", directory, true);
  config.journal_directory = directory;
  config.sync = static_cast<SyncPolicy>(journal.choose("sync", {"none", "batch", "always"}, 0));
  read_broker(root, config.broker);
  read_threads(root, config.threads);
  if (const json::value* lease = root.if_contains("lease")) {
    if (!lease->is_bool()) throw ConfigError("lease: expected true or false");
    config.lease = lease->get_bool();
  }
  return config;
}

}  // namespace tradewind
