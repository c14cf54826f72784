// A configuration is refused with an error of its own kind, or its canonical text means the same configuration.
#include <string>

#include "property.hpp"
#include "tradewind/engine/engine.hpp"
#include "tradewind/link/broker_config.hpp"
#include "tradewind/runtime/executor_config.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tradewind;
  try {
    static_cast<void>(parse_executor_config(fuzz::text_of(data, size)));
  } catch (const ConfigError&) {
  } catch (const LinkError&) {
  }
  EngineConfig config;
  try {
    config = parse_engine_config(fuzz::text_of(data, size));
  } catch (const ConfigError& error) {
    TRADEWIND_MUST(*error.what() != '\0');
    return 0;
  }
  const std::string canonical = canonical_json(config);
  TRADEWIND_MUST(canonical_json(parse_engine_config(canonical)) == canonical);
  if (config.max_orders > 4096 || config.max_intents > 4096) return 0;  // what it would build is large, not wrong
  Engine engine(config);
  TRADEWIND_MUST(engine.check_invariants().empty());
  return 0;
}
