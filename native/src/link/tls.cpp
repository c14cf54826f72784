// Shell: see tls.hpp.
#include "tradewind/link/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace tradewind {

namespace {

[[nodiscard]] std::string last_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown TLS error";
  const char* reason = ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

[[nodiscard]] bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  if (address == nullptr) return false;
  ASN1_OCTET_STRING_free(address);
  return true;
}

}  // namespace

TlsContext::TlsContext(const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
  if (context_ == nullptr) throw LinkError("TLS cannot be set up: " + last_error());
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_clear_mode(context_, SSL_MODE_RELEASE_BUFFERS);  // or each write would allocate
  const bool loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context_) == 1
                                      : SSL_CTX_load_verify_locations(context_, ca_file.c_str(), nullptr) == 1;
  if (!loaded) {
    ERR_clear_error();
    SSL_CTX_free(context_);
    throw LinkError("broker.ca_file: no certificates can be read from \"" + ca_file + "\"");
  }
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

void expect_host(SSL* ssl, const std::string& host) {
  bool set = false;
  if (is_address(host)) {
    set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    set = SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  }
  if (!set) throw LinkError("TLS cannot check the host name \"" + host + "\": " + last_error());
}

TlsSession::TlsSession(const TlsContext& context, const std::string& host) : ssl_(SSL_new(context.native())) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (ssl_ == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    SSL_free(ssl_);
    throw LinkError("TLS cannot be set up: " + last_error());
  }
  SSL_set_bio(ssl_, in, out);
  SSL_set_connect_state(ssl_);
  out_.reserve(kTlsRecord);
  try {
    expect_host(ssl_, host);
  } catch (...) {
    SSL_free(ssl_);
    throw;
  }
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

bool TlsSession::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return true;
  if (SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ) return false;
  const long verdict = SSL_get_verify_result(ssl_);
  if (verdict != X509_V_OK) {
    ERR_clear_error();
    throw LinkError(std::string("its certificate is not trusted: ") + X509_verify_cert_error_string(verdict));
  }
  throw LinkError("the TLS handshake failed: " + last_error());
}

void TlsSession::received(const char* cipher, std::size_t size) {
  BIO_write(SSL_get_rbio(ssl_), cipher, static_cast<int>(size));
}

bool TlsSession::read(std::string& plain) {
  std::array<char, kTlsRecord> chunk{};
  for (;;) {
    ERR_clear_error();
    const int count = SSL_read(ssl_, chunk.data(), static_cast<int>(chunk.size()));
    if (count <= 0) return SSL_get_error(ssl_, count) == SSL_ERROR_WANT_READ;
    plain.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

bool TlsSession::write(std::string_view plain) {
  ERR_clear_error();
  return SSL_write(ssl_, plain.data(), static_cast<int>(plain.size())) == static_cast<int>(plain.size());
}

std::string_view TlsSession::to_send() {
  BIO* bio = SSL_get_wbio(ssl_);
  out_.resize(BIO_ctrl_pending(bio));
  if (out_.empty()) return {};
  const int count = BIO_read(bio, out_.data(), static_cast<int>(out_.size()));
  return {out_.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

}  // namespace tradewind
