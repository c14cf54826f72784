// Shell: reads a journal record by record and tells a torn tail from damage.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "format.hpp"
#include "tradewind/journal/journal.hpp"

namespace tradewind {

using namespace journal_format;

namespace {
constexpr std::size_t kBlock = 1u << 18;  // read at once
}

struct JournalReader::Impl {
  std::string path;
  int fd = -1;
  std::uint64_t offset = kFileHeader;
  std::uint64_t sequence = 0;
  std::string account;
  std::span<const std::uint8_t> payload;  // in `block`
  Bytes outputs;
  Bytes block = Bytes(kBlock);  // of the file, from `block_at`
  std::uint64_t block_at = 0;
  std::size_t block_size = 0;

  // Fewer bytes than asked for only at the end of the file.
  std::size_t read_at(std::uint64_t at, std::uint8_t* out, std::size_t count) const {
    std::size_t done = 0;
    while (done < count) {
      const ssize_t n = ::pread(fd, out + done, count - done, static_cast<off_t>(at + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0)
        throw JournalError("journal " + path + ": cannot be read (" + std::generic_category().message(errno) + ")");
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  // The bytes there, fewer than asked for only at the end of the file; until the next call.
  std::span<const std::uint8_t> view(std::uint64_t at, std::size_t count) {
    if (at < block_at || at + count > block_at + block_size) {
      if (count > block.size()) block.resize(count);
      block_at = at;
      block_size = read_at(at, block.data(), block.size());
    }
    return std::span<const std::uint8_t>(block).subspan(at - block_at, std::min(count, block_size));
  }

  [[noreturn]] void damaged(const std::string& what) const {
    throw JournalError("journal " + path + ": damaged after record " + std::to_string(sequence) + " at byte " +
                       std::to_string(offset) + " (" + what +
                       "); restore the file from a copy, or move it away and reconcile by hand");
  }

  void open() {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
      throw JournalError("journal " + path + ": cannot be opened (" + std::generic_category().message(errno) + ")");
    std::array<std::uint8_t, kFileHeader> header{};
    const std::size_t got = read_at(0, header.data(), header.size());
    if (got < header.size()) {
      throw JournalError("journal " + path +
                         ": is shorter than a header; it is no journal, or was never begun: remove it");
    }
    offset = 0;
    if (std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
      throw JournalError("journal " + path + ": is no journal of this version; name another file");
    }
    if (get_u32(header.data() + kFileHeader - 4) != crc32c(std::span(header).first(kFileHeader - 4)))
      damaged("the header's checksum");
    const std::size_t size = header[kMagic.size()];
    if (size >= kAccountRoom) damaged("the account's length");
    account.assign(reinterpret_cast<const char*>(header.data()) + kMagic.size() + 1, size);
    offset = kFileHeader;
  }

  // False at the end or at a torn tail; then nothing has moved, and it can be asked again.
  bool next_payload() {
    const auto header = view(offset, kRecordHeader);
    if (header.size() < kRecordHeader) return false;
    if (get_u32(header.data() + 8) != crc32c(header.first(8))) damaged("a record header's checksum");
    const std::uint32_t size = get_u32(header.data()), checksum = get_u32(header.data() + 4);
    if (size < kPayloadHeader || size > kMaxPayload) damaged("a record's length");
    payload = view(offset + kRecordHeader, size);
    if (payload.size() < size) return false;
    if (checksum != crc32c(payload)) damaged("a record's checksum");
    const std::uint64_t number = get_u64(payload.data());
    if (number != sequence + 1)
      damaged("record " + std::to_string(number) + " follows record " + std::to_string(sequence));
    sequence = number;
    offset += kRecordHeader + size;
    return true;
  }

  bool next(JournalEntry& entry, bool with_outputs) {
    if (!next_payload()) return false;
    entry.sequence = sequence;
    entry.kind = static_cast<EntryKind>(payload[8]);
    entry.config.clear();
    entry.outputs.clear();
    outputs.clear();
    const auto body = payload.subspan(kPayloadHeader);
    if (entry.kind == EntryKind::kConfig) {
      entry.config.assign(reinterpret_cast<const char*>(body.data()), body.size());
      return true;
    }
    if (entry.kind != EntryKind::kStep || body.size() < 4) damaged("an unknown kind of record");
    const std::uint32_t input_size = get_u32(body.data());
    if (input_size > body.size() - 4) damaged("an input's length");
    try {
      decode(body.subspan(4, input_size), entry.input);
      const auto rest = body.subspan(4 + input_size);
      outputs.assign(rest.begin(), rest.end());
      if (with_outputs) decode(rest, entry.outputs);
    } catch (const CodecError& error) {
      damaged(error.what());
    }
    return true;
  }
};

JournalReader::JournalReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
  impl_->path = path.string();
  try {
    impl_->open();
  } catch (...) {
    if (impl_->fd >= 0) ::close(impl_->fd);
    throw;
  }
}

JournalReader::~JournalReader() { ::close(impl_->fd); }

bool JournalReader::next(JournalEntry& entry) { return impl_->next(entry, true); }
bool JournalReader::next_input(JournalEntry& entry) { return impl_->next(entry, false); }
bool JournalReader::skip() { return impl_->next_payload(); }
const std::vector<std::uint8_t>& JournalReader::outputs_bytes() const { return impl_->outputs; }
std::uint64_t JournalReader::valid_bytes() const { return impl_->offset; }
std::uint64_t JournalReader::sequence() const { return impl_->sequence; }
const std::string& JournalReader::account() const { return impl_->account; }

}  // namespace tradewind
