// Core: SHA-256 (FIPS 180-4, section 6.2).
#include "tradewind/engine/sha256.hpp"

#include <algorithm>
#include <cstring>

#include "tradewind/engine/sha256_compress.hpp"

namespace tradewind {

void Sha256::compress(const std::uint8_t* block) { sha256::compress(state_, block); }

void Sha256::update(std::span<const std::uint8_t> bytes) {
  length_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t take = std::min(bytes.size(), block_.size() - used_);
    std::memcpy(block_.data() + used_, bytes.data(), take);
    used_ += take;
    bytes = bytes.subspan(take);
    if (used_ == block_.size()) {
      compress(block_.data());
      used_ = 0;
    }
  }
}

void Sha256::update(std::string_view text) {
  update(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void Sha256::update_u32(std::uint32_t value) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  update(bytes);
}

void Sha256::update_i64(std::int64_t value) {
  std::array<std::uint8_t, 8> bytes{};
  const auto raw = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(raw >> (8 * i));
  update(bytes);
}

void Sha256::update_text(std::string_view text) {
  update_u32(static_cast<std::uint32_t>(text.size()));
  update(text);
}

Sha256::Digest Sha256::digest() const {
  Sha256 last = *this;
  const std::uint64_t bits = length_ * 8;
  last.update_u8(0x80);
  constexpr std::size_t kLength = 56;  // where a last block has it
  if (last.used_ > kLength) {
    std::memset(last.block_.data() + last.used_, 0, last.block_.size() - last.used_);
    last.compress(last.block_.data());
    last.used_ = 0;
  }
  std::memset(last.block_.data() + last.used_, 0, kLength - last.used_);
  for (std::size_t i = 0; i < 8; ++i) last.block_[kLength + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  last.compress(last.block_.data());
  Digest out{};
  for (std::size_t i = 0; i < 32; ++i) out[i] = static_cast<std::uint8_t>(last.state_[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

void to_hex(std::span<const std::uint8_t> bytes, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
}

std::string hex(const Sha256::Digest& digest) {
  std::string text(2 * digest.size(), '0');
  to_hex(digest, text.data());
  return text;
}

}  // namespace tradewind
