// Core: a denial in words. Written into a fixed buffer: nothing is allocated on the order path.
#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>

#include "tradewind/engine/risk_gate.hpp"

namespace tradewind {
namespace {

using Buffer = std::array<char, 48>;

void format(Unit unit, std::int64_t value, Buffer& out) {
  const char* sign = value < 0 ? "-" : "";
  const auto size = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const auto decimal = [&](std::uint64_t scale, int digits, std::uint64_t drop, const char* suffix) {
    std::snprintf(out.data(), out.size(), "%s%" PRIu64 ".%0*" PRIu64 "%s", sign, size / scale, digits,
                  size % scale / drop, suffix);
  };
  switch (unit) {
    case Unit::kMoney:
      decimal(kMoneyScale, 2, 1'000'000, "");
      return;
    case Unit::kRatio:
      decimal(10'000, 4, 1, " %");
      return;
    case Unit::kQuantity:
      decimal(kQuantityScale, 9, 1, " shares");
      return;
    case Unit::kPoints:
      decimal(kMoneyScale, 2, 1'000'000, " points");
      return;
    case Unit::kNanoseconds:
      decimal(1'000'000'000, 3, 1'000'000, " s");
      return;
    case Unit::kTime: {
      using namespace std::chrono;
      const sys_seconds at{seconds{value / 1'000'000'000}};
      const auto midnight = floor<days>(at);
      const year_month_day date{midnight};
      const hh_mm_ss clock{at - midnight};
      std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()));
      return;
    }
    case Unit::kCount:
    case Unit::kNone:
      std::snprintf(out.data(), out.size(), "%s%" PRIu64, sign, size);
      return;
  }
}

}  // namespace

ShortText Denial::message() const {
  if (unit == Unit::kNone) {
    const auto index = static_cast<std::size_t>(code);
    return ShortText(index < kRejectCodeCount ? kRejectCodes[index].meaning : std::string_view());
  }
  Buffer v{}, l{}, p{};
  format(unit, value, v);
  format(unit, limit, l);
  format(unit, passes, p);
  std::array<char, 200> text{};
  std::snprintf(text.data(), text.size(), "value %s, limit %s; %s would have passed", v.data(), l.data(), p.data());
  return ShortText(std::string_view(text.data()));
}

}  // namespace tradewind
