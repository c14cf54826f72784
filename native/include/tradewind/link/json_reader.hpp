// Core: a pull reader for JSON that someone else wrote. It allocates nothing, never throws, and stops at the first
// fault.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tradewind/fixed.hpp"

namespace tradewind {

struct JsonScalar {
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kComposite };
  Kind kind = Kind::kNull;
  std::string_view raw;  // the characters between the quotes (escapes untouched), of the number, or of true/false
};

// Use: enter_object(), then while next_member(key): consume the value by exactly one of read_scalar(), skip_value(),
// enter_object() or enter_array(). After the loop, ok() says whether the object was whole.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool enter_object() { return enter('{'); }
  [[nodiscard]] bool enter_array() { return enter('['); }
  // False at the end of the object, or on a fault.
  [[nodiscard]] bool next_member(std::string_view& key);
  [[nodiscard]] bool next_element();
  // A composite is skipped and told as kComposite.
  [[nodiscard]] bool read_scalar(JsonScalar& scalar);
  bool skip_value();
  // The first character of the next value, without consuming it; '\0' at the end.
  [[nodiscard]] char peek();

  [[nodiscard]] bool ok() const { return !failed_; }
  // Where the next character is read. After peek(): where the next value begins.
  [[nodiscard]] std::size_t position() const { return at_; }
  // Nothing but white space is left.
  [[nodiscard]] bool at_end();

 private:
  static constexpr int kMaxDepth = 32;

  bool fail() {
    failed_ = true;
    return false;
  }
  [[nodiscard]] bool enter(char open);
  [[nodiscard]] bool next(char close);
  [[nodiscard]] bool read_string(std::string_view& raw);
  [[nodiscard]] bool read_word(JsonScalar& scalar);
  void skip_space();

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t first_ = 0;  // bit d: nothing has been read yet at depth d
  int depth_ = 0;
  bool failed_ = false;
};

// Decodes the escapes of `raw` into `out`, at most `capacity` bytes. Returns the full decoded length (which may be more
// than capacity: the rest is cut at a character boundary), or nothing when an escape is malformed.
[[nodiscard]] std::optional<std::size_t> json_unescape(std::string_view raw, char* out, std::size_t capacity,
                                                       std::size_t* written);

// False when the text is malformed or longer than the string holds.
template <std::size_t N>
[[nodiscard]] bool assign_exact(FixedString<N>& target, const JsonScalar& scalar) {
  if (scalar.kind == JsonScalar::Kind::kNull) return target.assign({});
  if (scalar.kind != JsonScalar::Kind::kString) return false;
  char decoded[N];
  std::size_t written = 0;
  const auto length = json_unescape(scalar.raw, decoded, N, &written);
  return length && *length <= N && target.assign({decoded, written});
}

// Texts for people: what does not fit is cut.
template <std::size_t N>
void assign_cut(FixedString<N>& target, const JsonScalar& scalar) {
  if (scalar.kind != JsonScalar::Kind::kString) return;
  char decoded[N];
  std::size_t written = 0;
  if (json_unescape(scalar.raw, decoded, N, &written)) target.assign({decoded, written});
}

}  // namespace tradewind
