// An HTTP answer means the same however it is cut into reads, and nothing before its end counts as an answer.
#include "property.hpp"
#include "tradewind/link/http_answer.hpp"

namespace {

using tradewind::HttpAnswer;
using tradewind::parse_http_answer;

void same(const std::optional<HttpAnswer>& a, const std::optional<HttpAnswer>& b) {
  TRADEWIND_MUST(a.has_value() == b.has_value());
  if (!a) return;
  TRADEWIND_MUST(a->status == b->status && a->body == b->body);
  TRADEWIND_MUST(a->keep_alive == b->keep_alive && a->used == b->used);
}

}  // namespace

// The first byte says where to cut.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = tradewind::fuzz::text_of(data + 1, size - 1);
  bool failed = false;
  const auto whole = parse_http_answer(bytes, false, failed);
  TRADEWIND_MUST(!(whole && failed));
  if (whole) {
    TRADEWIND_MUST(whole->used <= bytes.size() && whole->body.size() <= whole->used);
    TRADEWIND_MUST(whole->status >= 0 && whole->status <= 999);
    // What follows the answer changes nothing of it.
    bool again = false;
    same(whole, parse_http_answer(bytes.substr(0, whole->used), false, again));
    TRADEWIND_MUST(!again);
  }
  const std::size_t end = whole ? whole->used : bytes.size();
  if (end > 0) {
    // A part of it is no answer yet, and is wrong only if the whole is.
    bool early = false;
    const auto part = parse_http_answer(bytes.substr(0, data[0] * (end - 1) / 255), false, early);
    TRADEWIND_MUST(!part);
    TRADEWIND_MUST(!early || failed);
  }
  bool closed = false;
  const auto last = parse_http_answer(bytes, true, closed);
  TRADEWIND_MUST(!(last && last->keep_alive));
  if (whole) TRADEWIND_MUST(last && last->body == whole->body);
  return 0;
}
