// Core: the order lifecycle as a Markdown table, for the documentation.
#include "tradewind/engine/lifecycle.hpp"

namespace tradewind {

std::string lifecycle_markdown() {
  std::string text = "| state |";
  for (const auto name : kOrderEventNames) text.append(1, ' ').append(name).append(" |");
  text += "\n|---|";
  for (std::size_t i = 0; i < kOrderEventCount; ++i) text += "---|";
  text += "\n";
  for (std::size_t s = 1; s < kOrderStateCount; ++s) {
    const auto state = static_cast<OrderState>(s);
    text.append("| ").append(to_string(state)).append(is_terminal(state) ? " (final) |" : " |");
    for (std::size_t e = 0; e < kOrderEventCount; ++e) {
      const OrderState next = transition(state, static_cast<OrderEvent>(e));
      text += " ";
      text += next == OrderState::kNone ? "–" : next == state ? "stays" : to_string(next);
      text += " |";
    }
    text += "\n";
  }
  return text;
}

}  // namespace tradewind
