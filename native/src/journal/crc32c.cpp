// Core: CRC-32C by the processor's instruction where it has one (SSE 4.2), by tables elsewhere; the same numbers.
#include <array>
#include <cstring>

#include "tradewind/journal/codec.hpp"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tradewind {
namespace {

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

// Slicing by eight (Kounavis and Berry, 2005): table k takes a byte that k others follow.
consteval CrcTables crc_tables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = value;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[k - 1][i];
      tables[k][i] = tables[0][before & 0xff] ^ (before >> 8);
    }
  }
  return tables;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::span<const std::uint8_t> bytes) {
  std::uint64_t crc = 0xffffffff;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes.data(), sizeof(eight));
    crc = _mm_crc32_u64(crc, eight);
  }
  auto last = static_cast<std::uint32_t>(crc);
  for (const std::uint8_t byte : bytes) last = _mm_crc32_u8(last, byte);
  return ~last;
}

#endif

}  // namespace

std::uint32_t crc32c_by_tables(std::span<const std::uint8_t> bytes) {
  static constexpr CrcTables kTables = crc_tables();
  std::uint32_t crc = 0xffffffff;
  while (bytes.size() >= 8) {
    std::uint32_t next = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      next ^= kTables[7 - k][bytes[k] ^ ((crc >> (8 * k)) & 0xff)] ^ kTables[3 - k][bytes[4 + k]];
    }
    crc = next;
    bytes = bytes.subspan(8);
  }
  for (const std::uint8_t byte : bytes) crc = kTables[0][(crc ^ byte) & 0xff] ^ (crc >> 8);
  return ~crc;
}

std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return by_instruction(bytes);
#endif
  return crc32c_by_tables(bytes);
}

}  // namespace tradewind
