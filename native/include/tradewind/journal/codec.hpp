// Core: messages as bytes: little-endian integers, length-prefixed texts, fields in the order of fields.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "tradewind/engine/records.hpp"
#include "tradewind/messages.hpp"

namespace tradewind {

class CodecError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Bytes = std::vector<std::uint8_t>;

// Append to `out`; nothing is allocated while its capacity suffices.
void encode(const Input& input, Bytes& out);
void encode(const Outputs& outputs, Bytes& out);

// The whole of `bytes`, or CodecError.
void decode(std::span<const std::uint8_t> bytes, Input& input);
void decode(std::span<const std::uint8_t> bytes, Outputs& outputs);

// CRC-32C (Castagnoli, RFC 3720 appendix B.4).
[[nodiscard]] std::uint32_t crc32c(std::span<const std::uint8_t> bytes);
[[nodiscard]] std::uint32_t crc32c_by_tables(
    std::span<const std::uint8_t> bytes);  // on a processor without the instruction

}  // namespace tradewind
