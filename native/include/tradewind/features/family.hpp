// Core: which features there are: families of names, each an indicator seen in scale-free forms.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace tradewind::features {

// Whose bars feed the indicator.
enum class Scope { kOwn, kContext };

// A price level means nothing to a model that must serve symbols at 5 and at 500, so levels are set against the close.
enum class Form {
  kRaw,        // the output itself
  kRelative,   // close / output - 1
  kOverClose,  // output / close
};

struct Aggregation {
  std::string_view name;    // the last part of the feature's name
  std::string_view output;  // of the indicator
  Form form;
};

// Names read {prefix}_{window}_{aggregation}. The window part is the indicator's first parameters, joined by 'x'.
struct Family {
  std::string_view prefix;  // {category}_{indicator}
  std::string_view indicator;
  std::string_view usual_window;  // "1" where the indicator has no window
  std::vector<std::string_view> window_parameters;
  std::vector<Aggregation> aggregations;
  Scope scope = Scope::kOwn;
};

[[nodiscard]] std::span<const Family> families();

// The features a Strategy gets that names none: daily bars, every one of them scale-free.
[[nodiscard]] std::span<const std::string_view> default_features();

}  // namespace tradewind::features
