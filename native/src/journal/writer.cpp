// Shell: appends to a journal. One write() per record, before anything of it is sent.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "format.hpp"
#include "tradewind/journal/journal.hpp"

namespace tradewind {

using namespace journal_format;

struct JournalWriter::Impl {
  std::string path;
  SyncPolicy policy = SyncPolicy::kNone;
  int fd = -1;
  std::uint64_t size = 0;
  std::uint64_t sequence = 0;
  bool broken = false;
  bool dirty = false;
  Bytes buffer;

  ~Impl() {
    if (fd >= 0) ::close(fd);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw JournalError("journal " + path + ": " + what + " (" + std::generic_category().message(errno) + ")");
  }

  void write_all(std::span<const std::uint8_t> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        const int error = errno;
        broken = true;  // the state in memory is ahead of the file: nothing may be sent any more
        (void)!::ftruncate(fd, static_cast<off_t>(size));
        errno = error;
        fail("cannot be written; free space or repair the disk, then start again");
      }
      done += static_cast<std::size_t>(n);
    }
    size += bytes.size();
    dirty = true;
  }

  void force() {
    if (!dirty) return;
    if (::fdatasync(fd) != 0) {
      broken = true;
      fail("cannot be forced to the disk");
    }
    dirty = false;
  }

  [[nodiscard]] int open_file(const std::string& name, int more) const {
    const int opened = ::open(name.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | more, 0600);
    if (opened < 0) fail("cannot be opened for writing");
    return opened;
  }

  // A locked copy takes the file's name in one step; the old file stays with the process that has it open.
  void take_over() {
    const std::string copy = path + ".taken";
    const int next = open_file(copy, O_TRUNC);
    Bytes block(1u << 20);
    ssize_t n = 0;
    for (off_t at = 0; (n = ::pread(fd, block.data(), block.size(), at)) != 0; at += n) {
      if (n < 0 || ::write(next, block.data(), static_cast<std::size_t>(n)) != n) {
        ::close(next);
        fail("cannot be copied to be taken over");
      }
    }
    ::close(fd);
    fd = next;
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0 || ::fdatasync(fd) != 0 || ::rename(copy.c_str(), path.c_str()) != 0) {
      fail("cannot be taken over");
    }
  }

  // The payload stands in `buffer` behind room for the record's header.
  std::uint64_t commit(EntryKind kind) {
    if (broken) throw JournalError("journal " + path + ": an earlier write failed; start again");
    const std::span<std::uint8_t> bytes(buffer);
    const auto payload = bytes.subspan(kRecordHeader);
    put_u64(payload.data(), sequence + 1);
    payload[8] = static_cast<std::uint8_t>(kind);
    put_u32(bytes.data(), static_cast<std::uint32_t>(payload.size()));
    put_u32(bytes.data() + 4, crc32c(payload));
    put_u32(bytes.data() + 8, crc32c(bytes.first(8)));
    write_all(bytes);
    if (policy == SyncPolicy::kAlways) force();
    return ++sequence;
  }

  void begin() { buffer.resize(kRecordHeader + kPayloadHeader); }
};

JournalWriter::JournalWriter(const std::filesystem::path& path, const std::string& account, SyncPolicy sync,
                             Locked locked)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = path.string();
  impl_->policy = sync;
  impl_->buffer.reserve(4u << 20);
  impl_->fd = impl_->open_file(impl_->path, 0);
  if (::flock(impl_->fd, LOCK_EX | LOCK_NB) != 0) {
    if (locked == Locked::kRefuse) impl_->fail("is in use by another process; stop that one first");
    impl_->take_over();
  }
  struct stat info{};
  if (::fstat(impl_->fd, &info) != 0) impl_->fail("cannot be examined");
  if (static_cast<std::uint64_t>(info.st_size) < kFileHeader) {
    // Died while it was being begun: nothing was in it yet.
    if (::ftruncate(impl_->fd, 0) != 0) impl_->fail("cannot be begun");
    impl_->write_all(file_header(account));
    impl_->force();
    return;
  }
  JournalReader reader(path);
  if (reader.account() != account) {
    throw JournalError("journal " + impl_->path + ": belongs to account " + reader.account() + ", not " + account +
                       "; name another file");
  }
  while (reader.skip()) {
  }
  impl_->sequence = reader.sequence();
  impl_->size = reader.valid_bytes();
  if (impl_->size < static_cast<std::uint64_t>(info.st_size) &&
      ::ftruncate(impl_->fd, static_cast<off_t>(impl_->size)) != 0) {
    impl_->fail("its torn tail cannot be cut");
  }
}

JournalWriter::~JournalWriter() = default;

std::uint64_t JournalWriter::append(const Input& input, const Outputs& outputs) {
  impl_->begin();
  const std::size_t at = impl_->buffer.size();
  impl_->buffer.resize(at + 4);
  encode(input, impl_->buffer);
  put_u32(impl_->buffer.data() + at, static_cast<std::uint32_t>(impl_->buffer.size() - at - 4));
  encode(outputs, impl_->buffer);
  return impl_->commit(EntryKind::kStep);
}

std::uint64_t JournalWriter::append_config(const std::string& canonical) {
  impl_->begin();
  impl_->buffer.insert(impl_->buffer.end(), canonical.begin(), canonical.end());
  return impl_->commit(EntryKind::kConfig);
}

void JournalWriter::sync() {
  if (impl_->policy != SyncPolicy::kNone) impl_->force();
}

std::uint64_t JournalWriter::last_sequence() const { return impl_->sequence; }

}  // namespace tradewind
