// Core: see http_answer.hpp.
#include "tradewind/link/http_answer.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace tradewind {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr std::size_t kMaxBody = 32U << 20;  // 500 orders are about 600 kB

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
  answer.body = std::move(parser.get().body());
  return answer;
}

}  // namespace tradewind
