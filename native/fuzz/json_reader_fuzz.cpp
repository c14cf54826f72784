// Whatever JSON Boost.JSON reads, our pull reader walks to the same end and decodes to the same strings.
#include <boost/json.hpp>
#include <string>

#include "property.hpp"
#include "tradewind/link/json_reader.hpp"

namespace {

namespace json = boost::json;
using tradewind::JsonReader;
using tradewind::JsonScalar;

std::string decoded(std::string_view raw) {
  std::string out(raw.size(), '\0');  // an escape is never shorter than what it stands for
  std::size_t written = 0;
  const auto length = tradewind::json_unescape(raw, out.data(), out.size(), &written);
  TRADEWIND_MUST(length && *length == written);
  out.resize(written);
  return out;
}

void compare(JsonReader& reader, const json::value& value) {
  if (const json::object* object = value.if_object()) {
    TRADEWIND_MUST(reader.enter_object());
    std::string_view key;
    std::size_t members = 0;
    while (reader.next_member(key)) {
      const std::string name = decoded(key);
      TRADEWIND_MUST(object->contains(name));
      // Of members with one name Boost keeps the last, so only what is alone can be compared.
      ++members;
      TRADEWIND_MUST(reader.skip_value());
    }
    TRADEWIND_MUST(members >= object->size());
  } else if (const json::array* array = value.if_array()) {
    TRADEWIND_MUST(reader.enter_array());
    for (const json::value& each : *array) {
      TRADEWIND_MUST(reader.next_element());
      compare(reader, each);
    }
    TRADEWIND_MUST(!reader.next_element());
  } else {
    JsonScalar scalar;
    TRADEWIND_MUST(reader.read_scalar(scalar));
    if (const json::string* text = value.if_string()) {
      TRADEWIND_MUST(scalar.kind == JsonScalar::Kind::kString);
      TRADEWIND_MUST(decoded(scalar.raw) == std::string_view(*text));
    }
    TRADEWIND_MUST(value.is_null() == (scalar.kind == JsonScalar::Kind::kNull));
    TRADEWIND_MUST(value.is_bool() == (scalar.kind == JsonScalar::Kind::kBool));
    TRADEWIND_MUST(value.is_number() == (scalar.kind == JsonScalar::Kind::kNumber));
  }
  TRADEWIND_MUST(reader.ok());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = tradewind::fuzz::text_of(data, size);
  json::parse_options options;
  options.max_depth = 30;  // our reader refuses more than 31 levels
  boost::system::error_code error;
  const json::value value = json::parse(text, error, {}, options);
  JsonReader walker(text);
  const bool walked = walker.skip_value() && walker.at_end();
  if (error) return 0;
  TRADEWIND_MUST(walked);
  JsonReader reader(text);
  compare(reader, value);
  TRADEWIND_MUST(reader.at_end());
  return 0;
}
