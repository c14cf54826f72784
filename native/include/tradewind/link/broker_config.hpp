// Core: where the broker is and how to speak to it, checked.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace tradewind {

// One line for a person: what is wrong and what to do. Never contains a secret.
class LinkError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Endpoint {
  bool secure = true;
  std::string host;
  std::string port;
  std::string path;                             // without a trailing slash; empty for the root
  [[nodiscard]] std::string authority() const;  // the Host header's value
};

struct BrokerConfig {
  std::string url;         // https://paper-api.alpaca.markets; http:// only to this machine itself
  std::string stream_url;  // empty: derived from url (wss://.../stream)
  std::string key_id;
  std::string secret;
  std::string ca_file;                       // empty: the system's certificate authorities
  int requests_per_minute = 200;             // 0: no limit
  int cancel_reserve = 20;                   // of these, kept for cancels
  std::chrono::milliseconds timeout{5'000};  // from the request to its answer; also connecting
  std::chrono::milliseconds retry{
      10'000};          // how long a request that was refused with 429 or found no connection may wait
  int connections = 8;  // each carries one request at a time
};

// `field` names the setting in the error. `web_socket`: ws/wss rather than http/https.
[[nodiscard]] Endpoint parse_endpoint(const std::string& url, const std::string& field, bool web_socket);

// https://host/base -> wss://host/base/stream
[[nodiscard]] std::string stream_url_of(const BrokerConfig& config);

// Throws LinkError naming the first setting that cannot be.
void check(const BrokerConfig& config);

}  // namespace tradewind
