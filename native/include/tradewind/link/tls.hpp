// Shell: TLS as a filter between byte buffers (OpenSSL with memory BIOs), so that who owns the socket is decided
// elsewhere.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tradewind/link/broker_config.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace tradewind {

inline constexpr std::size_t kTlsRecord = 16'384;  // the most plain bytes in one record

// TLS 1.2 or newer, the peer's certificate verified against the system's authorities or those in `ca_file`.
class TlsContext {
 public:
  explicit TlsContext(const std::string& ca_file);  // throws LinkError
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  [[nodiscard]] ssl_ctx_st* native() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

// The peer must own `host` (a DNS name or an address). Sets SNI for names. Throws LinkError.
void expect_host(ssl_st* ssl, const std::string& host);

// One client session. Not thread-safe: the caller holds a lock.
class TlsSession {
 public:
  TlsSession(const TlsContext& context, const std::string& host);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Goes on with the handshake; true once it is done. Throws LinkError when the peer is not who it must be.
  [[nodiscard]] bool handshake();
  void received(const char* cipher, std::size_t size);
  // Appends what can be decrypted to `plain`. False when the session is over (closed or broken).
  [[nodiscard]] bool read(std::string& plain);
  [[nodiscard]] bool write(std::string_view plain);
  // What must go to the socket; empty when there is nothing. Valid until the next call.
  [[nodiscard]] std::string_view to_send();

 private:
  ssl_st* ssl_;
  std::vector<char> out_;
};

}  // namespace tradewind
