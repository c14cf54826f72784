// What has a faster way on some processors gives the same result as without: SHA-256, CRC-32C, integer roots,
// quotients.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <bit>
#include <limits>
#include <random>
#include <vector>

#include "tradewind/engine/scenarios.hpp"
#include "tradewind/engine/sha256.hpp"
#include "tradewind/engine/sha256_compress.hpp"
#include "tradewind/fixed.hpp"
#include "tradewind/journal/codec.hpp"

namespace tradewind {
namespace {

using Random = std::mt19937_64;

std::vector<std::uint8_t> bytes_of(Random& random, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

TEST(ProcessorPaths, Sha256CompressesAsThePortableOne) {
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    sha256::State fast{};
    for (std::uint32_t& word : fast) word = static_cast<std::uint32_t>(random());
    sha256::State plain = fast;
    const auto block = bytes_of(random, 64);
    sha256::compress(fast, block.data());
    sha256::compress_portable(plain, block.data());
    ASSERT_EQ(fast, plain);
  }
}

TEST(ProcessorPaths, Sha256OfEveryLengthIsOpenSsls) {
  Random random(2);
  for (std::size_t size = 0; size <= 300; ++size) {
    const auto bytes = bytes_of(random, size);
    Sha256 own;
    own.update(bytes);
    Sha256::Digest theirs{};
    ASSERT_EQ(EVP_Digest(bytes.data(), bytes.size(), theirs.data(), nullptr, EVP_sha256(), nullptr), 1);
    ASSERT_EQ(own.digest(), theirs) << size;
  }
}

TEST(ProcessorPaths, Crc32cOfEveryLengthIsThatOfTheTables) {
  Random random(3);
  for (std::size_t size = 0; size <= 600; ++size) {
    const auto bytes = bytes_of(random, size);
    ASSERT_EQ(crc32c(bytes), crc32c_by_tables(bytes)) << size;
  }
}

// A number of every width, and the squares with their neighbours, where a root that is rounded goes wrong.
TEST(ProcessorPaths, IntegerRootIsTheFloorOfTheRoot) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  const auto expect_floor = [](UInt128 value) {
    const UInt128 root = integer_root(value);
    ASSERT_LE(root * root, value);
    if (root < kMost) {
      ASSERT_GT((root + 1) * (root + 1), value);
    }
  };
  Random random(4);
  for (int width = 0; width <= 128; ++width) {
    for (int round = 0; round < 500; ++round) {
      const UInt128 any = (static_cast<UInt128>(random()) << 64) | random();
      const UInt128 value = width == 0 ? 0 : any >> (128 - width);
      expect_floor(value);
      const UInt128 root = integer_root(value);
      expect_floor(root * root);
      if (root > 0) expect_floor(root * root - 1);
    }
  }
  expect_floor(~UInt128{0});
}

TEST(ProcessorPaths, QuotientByDigitsIsThatOfTheProcessor) {
  Random random(5);
  for (int width = 0; width <= 127; ++width) {
    for (int round = 0; round < 200; ++round) {
      const UInt128 any = (static_cast<UInt128>(random()) << 64) | random();
      const auto size = static_cast<Int128>(width == 0 ? 0 : any >> (128 - width));
      for (const Int128 num : {size, -size}) {
        ASSERT_EQ(quotient<1'000'000'000>(num), num / 1'000'000'000);
        ASSERT_EQ(quotient<1'000'000>(num), num / 1'000'000);
        ASSERT_EQ(quotient<0xffff'ffff>(num), num / 0xffff'ffff);
      }
    }
  }
}

}  // namespace
}  // namespace tradewind
