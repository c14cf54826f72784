// Shell: a broker for the link's tests: HTTPS and WebSocket on one port of 127.0.0.1, with a certificate it makes
// itself.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tradewind/link/broker_config.hpp"
#include "tradewind/link/broker_link.hpp"

namespace tradewind::testing {

struct VenueRequest {
  std::string method, target, body, key_id;
};

struct VenueReply {
  enum class Way : std::uint8_t {
    kWhole,
    kHalf,     // half the bytes, then the connection ends
    kHangUp,   // no byte: the connection ends
    kSilence,  // no byte, and the connection stays
    kLastOne,  // whole, "Connection: close"
  };
  int status = 200;
  std::string body = "{}";
  Way way = Way::kWhole;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// For the names of parameterised tests.
inline void PrintTo(const VenueReply& reply, std::ostream* out) {
  *out << reply.status << " way " << static_cast<int>(reply.way);
}

class Venue {
 public:
  using Handler = std::function<VenueReply(const VenueRequest&)>;

  struct Options {
    bool secure = true;
    std::string certificate_host = "127.0.0.1";  // what the certificate is for
    std::uint64_t listening_event_id = 0;
    std::string key_id = "key";
  };
  Venue(Options options, Handler handler);
  ~Venue();
  Venue(const Venue&) = delete;
  Venue& operator=(const Venue&) = delete;

  [[nodiscard]] BrokerConfig config() const;  // speaks to this venue, trusts its certificate
  [[nodiscard]] std::vector<VenueRequest> requests() const;
  [[nodiscard]] std::size_t connections_seen() const;

  // To every listening stream. `pieces` > 1: that many WebSocket frames of one message.
  void push(const std::string& frame, bool binary = true, std::size_t pieces = 1);
  void drop_streams();
  void refuse_streams(bool refuse);  // new ones are dropped at once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Collects what a link delivers.
class EventLog final : public BrokerEventSink {
 public:
  void deliver(const BrokerEvent& event) override;
  void written(std::uint64_t request_id, const SendStamps& stamps) override;
  [[nodiscard]] bool holds_lease() const override { return lease; }
  std::atomic<bool> lease{true};
  // Waits until `count` events of this kind have come; the last of them. Fails the test after ten seconds.
  BrokerEvent wait_for(BrokerEventKind kind, std::size_t count = 1);
  [[nodiscard]] std::size_t count(BrokerEventKind kind) const;
  [[nodiscard]] std::vector<BrokerEvent> all() const;
  [[nodiscard]] std::vector<std::uint64_t> written_late() const;  // requests that had to wait, as they were written

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<BrokerEvent> events_;
  std::vector<std::uint64_t> written_late_;
};

// Alpaca's order object with the fields that matter.
[[nodiscard]] std::string order_json(const std::string& client_order_id, const std::string& status,
                                     const std::string& filled_quantity = "0");
inline constexpr const char* kAccountJson =
    R"({"id":"a","account_number":"P1","status":"ACTIVE","cash":"1000.5","equity":"2000.25","buying_power":"4000"})";

// Answers account, positions and orders as an empty broker would; everything else goes to `rest`.
[[nodiscard]] Venue::Handler empty_books(Venue::Handler rest);

}  // namespace tradewind::testing
