// Core: the bytes of a journal file. Header: magic and version, account, checksum. Then records: length and checksum of
// the payload, checksum of those eight bytes (so that a damaged length is not taken for a torn tail), payload.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "tradewind/journal/codec.hpp"

namespace tradewind::journal_format {

inline constexpr std::array<char, 8> kMagic = {'T', 'W', 'J', 'R', 'N', 'L', '0', '4'};
inline constexpr std::size_t kAccountRoom = 64;  // one byte of length, 63 of text
inline constexpr std::size_t kFileHeader = kMagic.size() + kAccountRoom + 4;
inline constexpr std::size_t kRecordHeader = 12;
inline constexpr std::size_t kPayloadHeader = 9;  // sequence, kind
inline constexpr std::uint32_t kMaxPayload = 256u << 20;

inline void put_u32(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
inline void put_u64(std::uint8_t* at, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
[[nodiscard]] inline std::uint32_t get_u32(const std::uint8_t* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= std::uint32_t{at[i]} << (8 * i);
  return value;
}
[[nodiscard]] inline std::uint64_t get_u64(const std::uint8_t* at) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value |= std::uint64_t{at[i]} << (8 * i);
  return value;
}

[[nodiscard]] inline std::array<std::uint8_t, kFileHeader> file_header(const std::string& account) {
  std::array<std::uint8_t, kFileHeader> bytes{};
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  bytes[kMagic.size()] = static_cast<std::uint8_t>(account.size());
  std::memcpy(bytes.data() + kMagic.size() + 1, account.data(), account.size());
  put_u32(bytes.data() + kFileHeader - 4, crc32c(std::span(bytes).first(kFileHeader - 4)));
  return bytes;
}

}  // namespace tradewind::journal_format
