// Core: the version of a feature set, a hash of all that decides its values.
#include <openssl/sha.h>

#include <array>
#include <charconv>

#include "tradewind/features/definition.hpp"

namespace tradewind::features {
namespace {

// Raised when forms, conversions or event arithmetic change golden values; an indicator's own has its own number.
constexpr int kArithmeticVersion = 1;

// The shortest text that reads back as the same double, whatever the locale.
std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string_view word(Form form) {
  switch (form) {
    case Form::kRaw:
      return "raw";
    case Form::kRelative:
      return "relative";
    case Form::kOverClose:
      return "over_close";
  }
  return "";
}

std::string_view word(EventAggregation aggregation) {
  switch (aggregation) {
    case EventAggregation::kDecay:
      return "decay";
    case EventAggregation::kCount:
      return "count";
    case EventAggregation::kSince:
      return "since";
  }
  return "";
}

std::string line(const BarFeature& feature) {
  const auto& specification = *feature.specification;
  std::string text = feature.scope == Scope::kOwn ? "own " : "context ";
  text += std::string(specification.name) + " v" + std::to_string(specification.arithmetic_version);
  for (std::size_t i = 0; i < feature.arguments.size(); ++i) {
    text += " " + std::string(specification.parameters[i].name) + "=" + shortest(feature.arguments[i]);
  }
  return text + " " + std::string(specification.outputs[feature.output]) + " " + std::string(word(feature.form));
}

std::string line(const EventFeature& feature) {
  return "event " + feature.type + " " + std::string(word(feature.aggregation)) +
         " days=" + std::to_string(feature.days);
}

}  // namespace

std::string Definition::canonical() const {
  return name + ": " + std::visit([](const auto& each) { return line(each); }, source);
}

std::string feature_set_version(std::span<const std::string> names) {
  std::string text = "tradewind feature arithmetic v" + std::to_string(kArithmeticVersion) + "\n";
  for (const Definition& definition : parse_features(names)) text += definition.canonical() + "\n";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < 8; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace tradewind::features
