// Core: BrokerRequest -> the bytes of its HTTP request. Orders come from templates serialised once per (symbol, side,
// type, time in force, ...); only quantity, prices and client_order_id are written per order, in slots of fixed width
// padded with spaces between JSON tokens, so that Content-Length never changes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tradewind/link/broker_config.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

using RequestBuffer = std::array<char, 2048>;

class RequestBytes {
 public:
  RequestBytes(const Endpoint& endpoint, const std::string& key_id, const std::string& secret);

  // kSubmit, kReplace, kCancel or kLookup into `out`. The view is empty when the request cannot be said on the wire: an
  // id with characters outside [A-Za-z0-9._:-], a quantity or limit price that is not positive, an unknown side or
  // type. Allocates only for the first order of its kind.
  [[nodiscard]] std::string_view write(const BrokerRequest& request, RequestBuffer& out);

  // GET of path and query below the endpoint, e.g. "/v2/account".
  [[nodiscard]] std::string_view write_get(std::string_view target, RequestBuffer& out) const;

 private:
  struct Template {
    std::string bytes;
    std::size_t quantity_at = 0, id_at = 0;
    std::size_t limit_at = 0, stop_at = 0, trail_at = 0;  // 0: has none
  };
  struct Key {
    Symbol symbol;
    Side side;
    OrderType type;
    TimeInForce time_in_force;
    bool extended_hours, by_ratio;  // by_ratio: trail_percent, else trail_price
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };

  [[nodiscard]] std::string_view write_order(const BrokerRequest& request, RequestBuffer& out);
  [[nodiscard]] std::string_view write_replace(const BrokerRequest& request, RequestBuffer& out) const;
  [[nodiscard]] std::string_view write_bare(std::string_view method, std::string_view target, std::string_view id,
                                            RequestBuffer& out) const;
  [[nodiscard]] Template make_template(const Key& key) const;

  std::string path_;
  std::string headers_;  // Host and credentials, each line with its end
  std::unordered_map<Key, Template, KeyHash> templates_;
};

}  // namespace tradewind
