// Core: what kind of "no" the broker's answer is. By Alpaca's status and code, which are stable; its words only where
// one code says several things.
#include "tradewind/engine/rejection.hpp"

namespace tradewind {
namespace {

constexpr std::int32_t kForbidden = 40310000;

bool says(std::string_view text, std::string_view words) { return text.find(words) != std::string_view::npos; }

}  // namespace

RejectionCategory category_of(std::int32_t http_status, std::int32_t code, std::string_view text) {
  using C = RejectionCategory;
  if (http_status == 429 || http_status == 503) return C::kTransient;
  if (http_status == 401 || http_status == 404) return C::kManual;
  if (code == kForbidden) {
    // Another order of ours holds the shares, or is on the other side: it will have ended.
    if (says(text, "wash trade") || says(text, "insufficient qty available")) return C::kTransient;
    return says(text, "not authorized") || says(text, "not allowed") ? C::kManual : C::kPersistent;
  }
  if (http_status == 403) return C::kManual;
  return says(text, "is not tradable") || says(text, "not found") ? C::kManual : C::kPersistent;
}

}  // namespace tradewind
