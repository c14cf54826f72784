// Core: the bytes of an HTTP/1.1 answer -> status, body, and when to come back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tradewind {

struct HttpAnswer {
  int status = 0;
  std::string body;
  bool keep_alive = false;
  int retry_after = -1;          // seconds of a Retry-After header; -1: none
  std::int64_t rate_reset = -1;  // X-RateLimit-Reset, unix seconds; -1: none
  std::size_t used = 0;          // bytes of the answer; what follows belongs to no request
};

// Empty: not whole yet. `over`: the peer has closed, which ends a body without a length. Sets `failed` for what is not
// HTTP, or is larger than 32 MiB.
[[nodiscard]] std::optional<HttpAnswer> parse_http_answer(std::string_view bytes, bool over, bool& failed);

}  // namespace tradewind
