// Core: see broker_config.hpp.
#include "tradewind/link/broker_config.hpp"

#include <algorithm>
#include <string_view>

namespace tradewind {

namespace {

[[nodiscard]] bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

[[nodiscard]] bool is_port(std::string_view port) {
  const bool digits = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == port.npos;
  return digits && std::stoi(std::string(port)) >= 1 && std::stoi(std::string(port)) <= 65535;
}

void check_header(const std::string& value, const char* field) {
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (value.empty() || !printable) {
    throw LinkError(std::string("broker.") + field + ": expected a non-empty key without spaces or control characters");
  }
}

void check_range(std::int64_t value, std::int64_t low, std::int64_t high, const char* field) {
  if (value < low || value > high) {
    throw LinkError(std::string("broker.") + field + ": expected " + std::to_string(low) + " to " +
                    std::to_string(high) + ", got " + std::to_string(value));
  }
}

}  // namespace

std::string Endpoint::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (secure ? "443" : "80") ? name : name + ":" + port;
}

Endpoint parse_endpoint(const std::string& url, const std::string& field, bool web_socket) {
  const std::string secure_scheme = web_socket ? "wss://" : "https://";
  const std::string plain_scheme = web_socket ? "ws://" : "http://";
  const std::string expected = field + ": expected " + secure_scheme + "HOST[:PORT][/PATH], got \"" + url + "\"";
  Endpoint endpoint;
  std::string_view rest = url;
  if (rest.starts_with(secure_scheme)) {
    rest.remove_prefix(secure_scheme.size());
  } else if (rest.starts_with(plain_scheme)) {
    rest.remove_prefix(plain_scheme.size());
    endpoint.secure = false;
  } else {
    throw LinkError(expected);
  }
  std::string_view authority = rest.substr(0, rest.find('/'));
  std::string_view path = rest.substr(authority.size());
  while (path.ends_with('/')) path.remove_suffix(1);
  const auto refused = [](char c) { return c <= 0x20 || c >= 0x7F || c == '?' || c == '#'; };
  // A user name in an address would be a secret in the log.
  if (std::any_of(rest.begin(), rest.end(), refused) || authority.find('@') != authority.npos) {
    throw LinkError(field + ": an address holds no user name, query or spaces");
  }
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == authority.npos) throw LinkError(expected);
    endpoint.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
  } else {
    endpoint.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(endpoint.host.size());
  }
  endpoint.port = endpoint.secure ? "443" : "80";
  if (!authority.empty()) {
    if (!authority.starts_with(':') || !is_port(authority.substr(1))) throw LinkError(expected);
    endpoint.port = authority.substr(1);
  }
  if (endpoint.host.empty()) throw LinkError(expected);
  endpoint.path = path;
  if (!endpoint.secure && !is_loopback(endpoint.host)) {
    throw LinkError(field + ": " + plain_scheme + " would send the keys in the clear to " + endpoint.host + ": use " +
                    secure_scheme);
  }
  return endpoint;
}

std::string stream_url_of(const BrokerConfig& config) {
  if (!config.stream_url.empty()) return config.stream_url;
  const Endpoint rest = parse_endpoint(config.url, "broker.url", false);
  return (rest.secure ? "wss://" : "ws://") + rest.authority() + rest.path + "/stream";
}

void check(const BrokerConfig& config) {
  (void)parse_endpoint(config.url, "broker.url", false);
  (void)parse_endpoint(stream_url_of(config), "broker.stream_url", true);
  check_header(config.key_id, "key_id");
  check_header(config.secret, "secret");
  check_range(config.requests_per_minute, 0, 100'000, "requests_per_minute");
  check_range(config.timeout.count(), 1, 600'000, "timeout_ms");
  check_range(config.retry.count(), 0, 600'000, "retry_ms");
  check_range(config.connections, 1, 32, "connections");
  if (config.requests_per_minute > 0) {
    check_range(config.cancel_reserve, 0, config.requests_per_minute - 1, "cancel_reserve");
  }
}

}  // namespace tradewind
