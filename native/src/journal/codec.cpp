// Core: messages to and from bytes.
#include "tradewind/journal/codec.hpp"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tradewind/journal/fields.hpp"

namespace tradewind {
namespace {

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out), at_(out.size()) {}
  ~Writer() { out_.resize(at_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  template <std::integral T>
  void number(T value) {
    std::uint8_t* to = room(sizeof(T));
    for (std::size_t i = 0; i < sizeof(T); ++i)
      to[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
  }

  template <class T>
  void operator()(const char*, const T& value) {
    if constexpr (std::is_enum_v<T>)
      number(static_cast<std::uint8_t>(value));
    else if constexpr (std::same_as<T, bool>)
      number(static_cast<std::uint8_t>(value ? 1 : 0));
    else if constexpr (std::integral<T>)
      number(value);
    else if constexpr (requires { value.raw; })
      number(value.raw);
    else if constexpr (requires { value.view(); })
      text(value.view());
    else
      fields(*this, value);
  }

  template <class List>
  void list(const char*, const List& values, std::uint8_t count) {
    number(count);
    for (std::size_t i = 0; i < count; ++i) text(values[i].view());
  }
  template <class List>
  void numbers(const char*, const List& values, std::uint8_t count) {
    number(count);
    for (std::size_t i = 0; i < count; ++i) number(values[i]);
  }

 private:
  void text(std::string_view value) {
    number(static_cast<std::uint8_t>(value.size()));
    std::memcpy(room(value.size()), value.data(), value.size());
  }

  // Where the next `count` bytes go. Grows in steps, within the capacity while that suffices.
  std::uint8_t* room(std::size_t count) {
    constexpr std::size_t kStep = 256;
    if (at_ + count > out_.size()) out_.resize(std::max(at_ + count, std::min(out_.capacity(), at_ + kStep)));
    std::uint8_t* to = out_.data() + at_;
    at_ += count;
    return to;
  }

  Bytes& out_;
  std::size_t at_;  // of the next byte; `out_` may be longer until the end
};

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  template <std::integral T>
  void number(T& value) {
    std::uint64_t raw = 0;
    const auto bytes = take(sizeof(T));
    for (std::size_t i = 0; i < sizeof(T); ++i) raw |= std::uint64_t{bytes[i]} << (8 * i);
    value = static_cast<T>(raw);
  }

  template <class T>
  void operator()(const char*, T& value) {
    if constexpr (std::is_enum_v<T> || std::same_as<T, bool>) {
      std::uint8_t raw = 0;
      number(raw);
      if (std::same_as<T, bool> && raw > 1) throw CodecError("a flag is neither 0 nor 1");
      value = static_cast<T>(raw);
    } else if constexpr (std::integral<T>) {
      number(value);
    } else if constexpr (requires { value.raw; }) {
      number(value.raw);
    } else if constexpr (requires { value.view(); }) {
      text(value);
    } else {
      fields(*this, value);
    }
  }

  template <class List>
  void list(const char*, List& values, std::uint8_t& count) {
    number(count);
    if (count > values.size()) throw CodecError("a list is longer than its room");
    for (std::size_t i = 0; i < count; ++i) text(values[i]);
  }
  template <class List>
  void numbers(const char*, List& values, std::uint8_t& count) {
    number(count);
    if (count > values.size()) throw CodecError("a list is longer than its room");
    for (std::size_t i = 0; i < count; ++i) number(values[i]);
  }

  void finish() const {
    if (!bytes_.empty()) throw CodecError("bytes are left over");
  }

 private:
  template <class Text>
  void text(Text& value) {
    std::uint8_t size = 0;
    number(size);
    const auto bytes = take(size);
    if (!value.assign({reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
      throw CodecError("a text is longer than its room");
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    if (count > bytes_.size()) throw CodecError("the bytes end too early");
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  std::span<const std::uint8_t> bytes_;
};

template <class Variant, std::size_t... I>
void read_alternative(Reader& reader, std::size_t index, Variant& value, std::index_sequence<I...>) {
  const bool known = ((index == I && (reader("", value.template emplace<I>()), true)) || ...);
  if (!known) throw CodecError("an unknown kind of message");
}

template <class Variant>
void read_variant(Reader& reader, Variant& value) {
  std::uint8_t index = 0;
  reader.number(index);
  read_alternative(reader, index, value, std::make_index_sequence<std::variant_size_v<Variant>>{});
}

template <class Variant>
void write_variant(Writer& writer, const Variant& value) {
  writer.number(static_cast<std::uint8_t>(value.index()));
  std::visit([&writer](const auto& body) { fields(writer, body); }, value);
}

}  // namespace

void encode(const Input& input, Bytes& out) {
  Writer writer(out);
  writer.number(input.now);
  writer.number(input.topic);
  writer.number(input.offset);
  write_variant(writer, input.body);
}

void encode(const Outputs& outputs, Bytes& out) {
  Writer writer(out);
  writer.number(static_cast<std::uint32_t>(outputs.requests.size()));
  writer.number(static_cast<std::uint32_t>(outputs.records.size()));
  for (const BrokerRequest& request : outputs.requests) fields(writer, request);
  for (const Record& record : outputs.records) write_variant(writer, record);
}

void decode(std::span<const std::uint8_t> bytes, Input& input) {
  Reader reader(bytes);
  reader.number(input.now);
  reader.number(input.topic);
  reader.number(input.offset);
  read_variant(reader, input.body);
  reader.finish();
}

void decode(std::span<const std::uint8_t> bytes, Outputs& outputs) {
  Reader reader(bytes);
  std::uint32_t requests = 0, records = 0;
  reader.number(requests);
  reader.number(records);
  outputs.clear();
  for (std::uint32_t i = 0; i < requests; ++i) reader("", outputs.requests.emplace_back());
  for (std::uint32_t i = 0; i < records; ++i) read_variant(reader, outputs.records.emplace_back());
  reader.finish();
}

}  // namespace tradewind
