// Core: what kind of "no" the broker's answer is.
#pragma once

#include <cstdint>
#include <string_view>

#include "tradewind/engine/records.hpp"

namespace tradewind {

// Of an answer that refuses a submit or a replace. 503 stands for "never sent": no connection or no request budget.
[[nodiscard]] RejectionCategory category_of(std::int32_t http_status, std::int32_t code, std::string_view text);

}  // namespace tradewind
