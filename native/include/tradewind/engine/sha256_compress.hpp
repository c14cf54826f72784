// Core: SHA-256's compression of one block (FIPS 180-4, section 6.2.2): portable, and by the processor's SHA
// instructions where it has them. Both give the same state on every input; a test compares them.
#pragma once

#include <array>
#include <cstdint>

namespace tradewind::sha256 {

using State = std::array<std::uint32_t, 8>;

void compress_portable(State& state, const std::uint8_t* block);
void compress(State& state, const std::uint8_t* block);  // the fastest that this processor has

}  // namespace tradewind::sha256
