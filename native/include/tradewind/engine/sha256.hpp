// Core: SHA-256 (FIPS 180-4) as a plain value: copied to read an intermediate digest, never allocates.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tradewind {

class Sha256 {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  void update(std::span<const std::uint8_t> bytes);
  void update(std::string_view text);
  void update_u8(std::uint8_t value) { update(std::span(&value, 1)); }
  void update_u32(std::uint32_t value);     // little-endian
  void update_i64(std::int64_t value);      // little-endian
  void update_text(std::string_view text);  // length first, so that neighbours cannot run together

  [[nodiscard]] Digest digest() const;  // of everything so far; the state goes on

 private:
  void compress(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> block_{};
  std::size_t used_ = 0;
  std::uint64_t length_ = 0;
};

// Writes 2 * bytes.size() lower-case characters to `out`.
void to_hex(std::span<const std::uint8_t> bytes, char* out);
[[nodiscard]] std::string hex(const Sha256::Digest& digest);

}  // namespace tradewind
