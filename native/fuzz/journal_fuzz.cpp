// Journals. A record that can be read is written again as the same bytes; whatever a file holds, it is read or refused
// with a JournalError; a file cut anywhere is the journal of its whole records; a file with a changed byte is refused.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string>

#include "../src/journal/format.hpp"
#include "property.hpp"
#include "tradewind/journal/codec.hpp"
#include "tradewind/journal/journal.hpp"

namespace {

using namespace tradewind;
using namespace tradewind::journal_format;

// A file in memory, under a name.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::uint8_t> bytes) : fd_(::memfd_create("journal", MFD_CLOEXEC)) {
    TRADEWIND_MUST(fd_ >= 0);
    TRADEWIND_MUST(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

template <class Message>
bool read_back(std::span<const std::uint8_t> bytes, Message& message) {
  try {
    decode(bytes, message);
  } catch (const CodecError&) {
    return false;
  }
  Bytes again;
  encode(message, again);
  TRADEWIND_MUST(std::ranges::equal(again, bytes));
  return true;
}

void append(Bytes& file, std::uint64_t sequence, EntryKind kind, std::span<const std::uint8_t> body) {
  const std::size_t at = file.size();
  file.resize(at + kRecordHeader + kPayloadHeader + body.size());
  std::ranges::copy(body, file.begin() + static_cast<std::ptrdiff_t>(at + kRecordHeader + kPayloadHeader));
  const auto record = std::span(file).subspan(at);
  const auto payload = record.subspan(kRecordHeader);
  put_u64(payload.data(), sequence);
  payload[8] = static_cast<std::uint8_t>(kind);
  put_u32(record.data(), static_cast<std::uint32_t>(payload.size()));
  put_u32(record.data() + 4, crc32c(payload));
  put_u32(record.data() + 8, crc32c(record.first(8)));
}

// Records in the file, or -1 when it is refused.
int records_of(std::span<const std::uint8_t> bytes) {
  const MemoryFile file(bytes);
  try {
    JournalReader reader(file.path());
    JournalEntry entry;
    int count = 0;
    while (reader.next(entry)) ++count;
    TRADEWIND_MUST(reader.valid_bytes() <= bytes.size());
    return count;
  } catch (const JournalError&) {
    return -1;
  }
}

// A journal of one configuration and one step, then cut at `cut` or with `flip` put on the byte there.
void damage(const Bytes& body, std::size_t cut, std::uint8_t flip) {
  Bytes bytes;
  std::ranges::copy(file_header("fuzz"), std::back_inserter(bytes));
  append(bytes, 1, EntryKind::kConfig, std::span<const std::uint8_t>());
  const std::size_t first = bytes.size();
  append(bytes, 2, EntryKind::kStep, body);
  TRADEWIND_MUST(records_of(bytes) == 2);
  cut %= bytes.size();
  const int whole = cut < kFileHeader ? -1 : cut < first ? 0 : 1;
  TRADEWIND_MUST(records_of(std::span(bytes).first(cut)) == whole);
  bytes[cut] ^= flip;
  TRADEWIND_MUST(records_of(bytes) == (flip == 0 ? 2 : -1));
}

}  // namespace

// Byte 0 says what the rest is: a file, an input, an engine's answer, or an input inside a journal that is then
// damaged.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  Input input;
  Outputs outputs;
  switch (data[0] % 4) {
    case 0:
      static_cast<void>(records_of(rest));
      break;
    case 1:
      read_back(rest, input);
      break;
    case 2:
      read_back(rest, outputs);
      break;
    default: {
      const auto message = rest.subspan(3);
      if (!read_back(message, input)) break;
      Bytes body(4);
      put_u32(body.data(), static_cast<std::uint32_t>(message.size()));
      encode(input, body);
      encode(outputs, body);
      damage(body, std::size_t{rest[0]} << 8 | rest[1], rest[2]);
      break;
    }
  }
  return 0;
}
