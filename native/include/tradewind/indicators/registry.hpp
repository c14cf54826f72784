// Core: every indicator by name, with its parameters, outputs and arithmetic version.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tradewind/indicators/indicator.hpp"

namespace tradewind::indicators {

struct Specification {
  std::string_view name;
  int arithmetic_version;  // raised only when golden values change: models are bound to it
  std::span<const Parameter> parameters;
  std::span<const std::string_view> outputs;
  std::unique_ptr<Indicator> (*create)(std::span<const double> arguments);  // in the order of parameters, unchecked
};

// All of them, in alphabetical order.
[[nodiscard]] std::span<const Specification> specifications();

// The one of that name. Throws IndicatorError naming the nearest known names.
[[nodiscard]] const Specification& specification(std::string_view name);

// Position of a parameter or an output; throws IndicatorError that lists what there is.
[[nodiscard]] std::size_t parameter_index(const Specification& specification, std::string_view name);
[[nodiscard]] std::size_t output_index(const Specification& specification, std::string_view name);

// An indicator of these arguments (one per parameter, in order). Throws IndicatorError naming the argument out of
// range.
[[nodiscard]] std::unique_ptr<Indicator> make_indicator(const Specification& specification,
                                                        std::span<const double> arguments);

}  // namespace tradewind::indicators
