// Core: see http_answer.hpp.
#include "tradewind/link/http_answer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>

namespace tradewind {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr std::size_t kMaxBody = 32U << 20;  // 500 orders are about 600 kB

// -1: not a whole number up to `most`, such as Retry-After's other form, a date.
std::int64_t whole_number(std::string_view text, std::int64_t most) {
  std::int64_t value = -1;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= most ? value : -1;
}

}  // namespace

std::optional<HttpAnswer> parse_http_answer(std::string_view bytes, bool over, bool& failed) {
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.body_limit(kMaxBody);
  boost::system::error_code error;
  std::size_t used = 0;
  while (!parser.is_done() && used < bytes.size()) {
    used += parser.put(asio::buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == http::error::need_more) break;
    if (error) {
      failed = true;
      return std::nullopt;
    }
  }
  if (over && !parser.is_done() && parser.got_some()) {
    parser.put_eof(error);
    failed = static_cast<bool>(error);
  }
  if (!parser.is_done() || failed) return std::nullopt;
  HttpAnswer answer;
  answer.keep_alive = parser.keep_alive() && !over;
  answer.used = used;
  answer.status = static_cast<int>(parser.get().result_int());
  const auto& header = parser.get().base();
  answer.retry_after = static_cast<int>(whole_number(header[http::field::retry_after], 86'400));
  answer.rate_reset = whole_number(header["X-RateLimit-Reset"], 1LL << 40);
  answer.body = std::move(parser.get().body());
  return answer;
}

}  // namespace tradewind
