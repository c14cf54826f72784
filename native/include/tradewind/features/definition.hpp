// Core: what a feature's name means, and the version of an ordered list of names.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tradewind/features/family.hpp"
#include "tradewind/indicators/registry.hpp"

namespace tradewind::features {

// A name, a bar or an event that cannot be used. The message is one line that names it and the fix.
class FeatureError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct BarFeature {
  const indicators::Specification* specification;
  std::vector<double> arguments;
  std::size_t output;
  Form form;
  Scope scope;
};

enum class EventAggregation {
  kDecay,  // sum of impacts, each halved every `days` days
  kCount,  // events of the last `days` days
  kSince,  // days since the last one over `days`, at most 1; 1 where there was none
};

// event_{type}_{decay|count|since}_{days}; the type "any" is every type.
struct EventFeature {
  std::string type;
  EventAggregation aggregation;
  int days;
};

struct Definition {
  std::string name;
  std::variant<BarFeature, EventFeature> source;

  // One line of everything that decides the feature's value: what its version is a hash of.
  [[nodiscard]] std::string canonical() const;
};

// Throws FeatureError that names the feature and, where nothing fits, the nearest known names.
[[nodiscard]] Definition parse_feature(std::string_view name);

// In the order given. Throws also for an empty list and for a name given twice.
[[nodiscard]] std::vector<Definition> parse_features(std::span<const std::string> names);

// Names of all families with their usual windows, in the order of the table.
[[nodiscard]] std::vector<std::string> known_features();

// 16 hexadecimal digits: the head of the SHA-256 of all canonical lines in order. Equal on every machine and run.
[[nodiscard]] std::string feature_set_version(std::span<const std::string> names);

}  // namespace tradewind::features
