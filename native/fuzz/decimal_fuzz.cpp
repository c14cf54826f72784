// Decimals and times: what is read equals schoolbook arithmetic on the digits, and is written back as the same number.
#include <algorithm>
#include <string>

#include "property.hpp"
#include "tradewind/engine/decimal.hpp"
#include "tradewind/link/timestamp.hpp"
#include "tradewind/link/wire_decimal.hpp"

namespace {

using namespace tradewind;

// Digits before and behind the point of a plain decimal number; false when the text is none.
bool split(std::string_view text, bool& negative, std::string& whole, std::string& fraction) {
  negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = text.find('.');
  whole = text.substr(0, point);
  fraction = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (point != std::string_view::npos && fraction.empty()) return false;
  const auto digits = [](const std::string& s) {
    return std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
  };
  return digits(whole) && digits(fraction);
}

// Adds one in the last place.
void increment(std::string& digits) {
  for (auto at = digits.rbegin(); at != digits.rend(); ++at) {
    if (*at != '9') {
      ++*at;
      return;
    }
    *at = '0';
  }
  digits.insert(digits.begin(), '1');
}

// The number times 10^places as digits without leading zeros, by hand: no machine arithmetic. Empty when it cannot be.
std::string scaled(std::string whole, std::string fraction, std::size_t places, bool round) {
  std::string cut = fraction.size() > places ? fraction.substr(places) : "";
  fraction.resize(places, '0');
  std::string digits = "0" + whole + fraction;
  if (cut.find_first_not_of('0') != std::string::npos) {
    if (!round) return "";
    const bool half = cut[0] == '5' && cut.find_first_not_of('0', 1) == std::string::npos;
    const bool odd = (digits.back() - '0') % 2 != 0;
    if (half ? odd : cut[0] >= '5') increment(digits);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

bool in_range(const std::string& digits, bool lowest) {
  const std::string top = lowest ? "9223372036854775808" : "9223372036854775807";
  return digits.size() < top.size() || (digits.size() == top.size() && digits <= top);
}

// `lowest`: whether -2^63 can be read.
void check(std::optional<std::int64_t> got, std::string_view text, int places, bool round, bool lowest) {
  bool negative = false;
  std::string whole, fraction;
  if (!split(text, negative, whole, fraction) || (whole.empty() && fraction.empty())) {
    TRADEWIND_MUST(!got);
    return;
  }
  const std::string digits = scaled(whole, fraction, static_cast<std::size_t>(places), round);
  if (!got) {
    // Refusing is right for what does not fit; ".5" and places that are only zeros may be refused as well.
    const bool plain = !whole.empty() && fraction.size() <= static_cast<std::size_t>(places);
    TRADEWIND_MUST(!plain || !in_range(digits, negative && lowest));
    return;
  }
  TRADEWIND_MUST(!digits.empty());
  const std::string sign = negative && digits != "0" ? "-" : "";
  TRADEWIND_MUST(std::to_string(*got) == sign + digits);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  for (const int places : {kMoneyDigits, kQuantityDigits}) {
    const auto refused = read_decimal(text, places, Excess::kRefuse);
    check(refused, text, places, false, false);
    check(read_decimal(text, places, Excess::kRoundEven), text, places, true, false);
    const auto parsed = parse_decimal(text, places);
    check(parsed, text, places, false, true);
    if (parsed) TRADEWIND_MUST(parse_decimal(format_decimal(*parsed, places), places) == parsed);
    if (!refused) continue;
    char out[kDecimalWidth] = {};
    const std::size_t length = write_decimal(out, *refused, places);
    TRADEWIND_MUST(length <= kDecimalWidth);
    TRADEWIND_MUST(read_decimal({out, length}, places) == refused);
  }
  const auto time = parse_rfc3339(text);
  // In the first and the last year that can be read, the offset may lead to one that cannot.
  if (time && !text.starts_with("1700") && !text.starts_with("2200")) {
    TRADEWIND_MUST(parse_rfc3339(format_rfc3339(*time)) == time);
  }
  return 0;
}
