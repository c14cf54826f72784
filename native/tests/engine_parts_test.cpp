// The engine's parts against independent oracles: published vectors, the standard library, exact identities.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

#include "tradewind/engine/book.hpp"
#include "tradewind/engine/decimal.hpp"
#include "tradewind/engine/flat_index.hpp"
#include "tradewind/engine/lifecycle.hpp"
#include "tradewind/engine/sha256.hpp"

namespace tradewind {
namespace {

std::string sha(std::string_view text) {
  Sha256 h;
  h.update(text);
  return hex(h.digest());
}

// FIPS 180-4 examples (NIST, "Cryptographic Standards and Guidelines: Examples with Intermediate Values").
TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(sha(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AnyChunkingGivesTheSameDigest) {
  const std::string text(200, 'x');
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 h;
    h.update(std::string_view(text).substr(0, cut));
    h.update(std::string_view(text).substr(cut));
    ASSERT_EQ(hex(h.digest()), sha(text));
  }
}

TEST(Decimal, ExactBothWays) {
  EXPECT_EQ(parse_decimal("12.5", 8), 1'250'000'000);
  EXPECT_EQ(parse_decimal("-0.00000001", 8), -1);
  EXPECT_EQ(parse_decimal("92233720368.54775807", 8), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_decimal("-92233720368.54775808", 8), std::numeric_limits<std::int64_t>::min());
  for (const char* bad : {"", ".", "1.", "1e5", " 1", "1.123456789", "92233720368.54775808", "--1", "1.2.3", "nan"}) {
    EXPECT_EQ(parse_decimal(bad, 8), std::nullopt) << bad;
  }
  EXPECT_EQ(format_decimal(1'250'000'000, 8), "12.5");
  EXPECT_EQ(format_decimal(-1, 8), "-0.00000001");
  EXPECT_EQ(format_decimal(0, 8), "0");
  EXPECT_EQ(format_decimal(1000, 0), "1000");
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto raw = static_cast<std::int64_t>(random()) >> (random() % 64);
    for (const int digits : {0, 8, 9}) ASSERT_EQ(parse_decimal(format_decimal(raw, digits), digits), raw);
  }
}

TEST(FlatIndex, BehavesLikeAMapUnderRandomUse) {
  std::mt19937_64 random(11);
  FlatIndex<FixedString<16>> index(64);
  std::map<std::string, std::uint32_t> model;
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = "k" + std::to_string(random() % 100);
    if (model.contains(key) && random() % 2 == 0) {
      index.erase(FixedString<16>(key));
      model.erase(key);
    } else if (!model.contains(key) && model.size() < 64) {
      index.insert(FixedString<16>(key), static_cast<std::uint32_t>(i));
      model[key] = static_cast<std::uint32_t>(i);
    }
    const std::string probe = "k" + std::to_string(random() % 100);
    const auto found = model.find(probe);
    ASSERT_EQ(index.find(FixedString<16>(probe)), found == model.end() ? kNil : found->second);
  }
}

TEST(Allocate, KnownSplits) {
  std::array<std::int64_t, 3> parts{};
  allocate(std::array<std::int64_t, 3>{10, 10, 10}, 10, 1, parts);
  EXPECT_EQ(parts, (std::array<std::int64_t, 3>{4, 3, 3}));  // the remainder goes to the lower index
  allocate(std::array<std::int64_t, 3>{100, -30, 0}, 35, 1, parts);
  EXPECT_EQ(parts, (std::array<std::int64_t, 3>{50, -15, 0}));  // half of each wish
  allocate(std::array<std::int64_t, 3>{-100, 30, 0}, -35, 1, parts);
  EXPECT_EQ(parts, (std::array<std::int64_t, 3>{-50, 15, 0}));
  allocate(std::array<std::int64_t, 3>{1, 2, 4}, 3, 1, parts);  // quotas 3/7, 6/7, 12/7
  EXPECT_EQ(parts, (std::array<std::int64_t, 3>{0, 1, 2}));
  allocate(std::array<std::int64_t, 3>{5000, 3000, 0}, 3000, 1000, parts);  // whole lots
  EXPECT_EQ(parts, (std::array<std::int64_t, 3>{2000, 1000, 0}));
}

TEST(Allocate, AddsUpStaysWithinOneLotOfTheQuotaAndFillsEveryWish) {
  std::mt19937_64 random(3);
  int checked = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::array<std::int64_t, 5> weights{}, parts{};
    std::int64_t total = 0;
    for (auto& w : weights) total += w = static_cast<std::int64_t>(random() % 2001) - 1000;
    if (total == 0) continue;
    const std::int64_t quantity =
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(std::abs(total) + 1)) * (total < 0 ? -1 : 1);
    allocate(weights, quantity, 1, parts);
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      sum += parts[i];
      const double quota = static_cast<double>(weights[i]) * static_cast<double>(quantity) / static_cast<double>(total);
      ASSERT_LT(std::abs(static_cast<double>(parts[i]) - quota), 1.0 + 1e-9);
    }
    ASSERT_EQ(sum, quantity);
    if (quantity == total) {
      ASSERT_EQ(parts, weights);
    }
    ++checked;
  }
  EXPECT_GT(checked, 15'000);
}

TEST(PriceParts, AmountsAddUpToTheTotal) {
  std::array<std::int64_t, 3> amounts{};
  const std::array<std::int64_t, 3> parts{333'333'333, 333'333'333, 333'333'334};
  ASSERT_TRUE(price_parts(parts, Money{10'000'000'001}, 10'000'000'001, amounts));
  EXPECT_EQ(amounts[0] + amounts[1] + amounts[2], 10'000'000'001);
  constexpr std::int64_t top = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(price_parts(std::array<std::int64_t, 1>{top}, Money{top}, 0, amounts));
}

// Textbook: buy 10 at 100, sell 4 at 110 (+40), sell 10 at 90 (closes 6: -60, opens 4 short at 90), buy 4 at 80 (+40).
TEST(Book, AverageCostAcrossZero) {
  const auto trade = [](Book b, std::int64_t count, std::int64_t price) {
    return traded(b, count * kQuantityScale, count * price * kMoneyScale).value();
  };
  Book b = trade({}, 10, 100);
  EXPECT_EQ(b.average_price(), 100 * kMoneyScale);
  b = trade(b, -4, 110);
  EXPECT_EQ(b.realized, 40 * kMoneyScale);
  EXPECT_EQ(b.average_price(), 100 * kMoneyScale);
  b = trade(b, -10, 90);
  EXPECT_EQ(b.realized, -20 * kMoneyScale);
  EXPECT_EQ(b.position, -4 * kQuantityScale);
  EXPECT_EQ(b.average_price(), 90 * kMoneyScale);
  b = trade(b, 4, 80);
  EXPECT_EQ(b, (Book{0, 0, 20 * kMoneyScale}));
}

TEST(Book, RealisedMinusCostIsTheCashMovedWhateverTheOrder) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 500; ++round) {
    Book b;
    Int128 moved = 0;
    for (int i = 0; i < 40; ++i) {
      const std::int64_t quantity = static_cast<std::int64_t>(random() % 2'000'000'001) - 1'000'000'000;
      const auto amount =
          notional(Money{static_cast<std::int64_t>(random() % 10'000'000'000)}, Quantity{quantity}).value();
      b = traded(b, quantity, amount.raw).value();
      moved -= amount.raw;
      ASSERT_TRUE(static_cast<Int128>(b.realized) - b.cost == moved);
      if (b.position == 0) {
        ASSERT_EQ(b.cost, 0);
      }
    }
  }
}

TEST(Book, OverflowIsRefused) {
  constexpr std::int64_t top = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(traded(Book{top, 0, 0}, 1, 1).has_value());
  EXPECT_FALSE(traded(Book{1, top, 0}, 1, 1).has_value());
  EXPECT_FALSE(notional(Money{top}, Quantity{top}).has_value());
}

TEST(Lifecycle, FinishedOrdersStayAndEveryStateCanFinish) {
  for (std::size_t s = 1; s < kOrderStateCount; ++s) {
    const auto state = static_cast<OrderState>(s);
    bool can_finish = is_terminal(state);
    for (std::size_t e = 0; e < kOrderEventCount; ++e) {
      const OrderState next = transition(state, static_cast<OrderEvent>(e));
      if (is_terminal(state)) {
        EXPECT_TRUE(next == state || next == OrderState::kNone);
      }
      can_finish = can_finish || is_terminal(next) || next == OrderState::kSubmitted;
    }
    EXPECT_TRUE(can_finish) << to_string(state);
  }
  EXPECT_EQ(transition(OrderState::kSubmitted, OrderEvent::kAnswerLost), OrderState::kUnknown);
  EXPECT_EQ(transition(OrderState::kUnknown, OrderEvent::kResend), OrderState::kSubmitted);
  EXPECT_EQ(transition(OrderState::kPartiallyFilled, OrderEvent::kWorking), OrderState::kPartiallyFilled);
  EXPECT_EQ(transition(OrderState::kPendingCancel, OrderEvent::kFill), OrderState::kFilled);
}

}  // namespace
}  // namespace tradewind
