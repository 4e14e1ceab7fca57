#include "storage/spool.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "storage/data_directory.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr size_t kHalves = 2;
constexpr size_t kFileBytes = kHalves * kSpoolHalfBytes;
constexpr size_t kHeaderBytes = 16;  // the generation and the salt
constexpr size_t kRecordHeaderBytes = 8;

std::string PathIn(const std::string& directory) {
  return absl::StrCat(directory, "/", kSpoolFile);
}

size_t RecordBytes(size_t size) {
  return kRecordHeaderBytes + (size + 7) / 8 * 8;
}

void PutInt(uint64_t value, size_t bytes, char* to) {
  for (size_t i = 0; i < bytes; ++i, value >>= 8) {
    to[i] = static_cast<char>(value);
  }
}

uint64_t TakeInt(const char* from, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(from[i]);
  }
  return value;
}

uint64_t RandomSalt() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

uint32_t Checksum(uint64_t salt, uint64_t generation, size_t offset,
                  absl::string_view record) {
  char place[24];
  PutInt(salt, 8, place);
  PutInt(generation, 8, place + 8);
  PutInt(offset, 8, place + 16);
  const auto bytes = [](const char* p) {
    return reinterpret_cast<const Bytef*>(p);
  };
  const uLong start = crc32(0, bytes(place), sizeof(place));
  return static_cast<uint32_t>(
      crc32(start, bytes(record.data()), static_cast<uInt>(record.size())));
}

// Adds the whole records of one half.
void ReadHalf(absl::string_view half, std::vector<std::string>& records) {
  const uint64_t generation = TakeInt(half.data(), 8);
  const uint64_t salt = TakeInt(half.data() + 8, 8);
  size_t at = kHeaderBytes;
  while (at + kRecordHeaderBytes <= half.size()) {
    const size_t size = TakeInt(half.data() + at, 4);
    if (size == 0 || size > half.size() - at - kRecordHeaderBytes) return;
    const absl::string_view record = half.substr(at + kRecordHeaderBytes, size);
    if (TakeInt(half.data() + at + 4, 4) !=
        Checksum(salt, generation, at, record)) {
      return;
    }
    records.emplace_back(record);
    at += RecordBytes(size);
  }
}

// An open file that closes.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::StatusOr<std::string> ReadFile(const File& file,
                                     const std::string& path) {
  std::string bytes(kFileBytes, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = pread(file.fd(), bytes.data() + size, bytes.size() - size,
                            static_cast<off_t>(size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return DirectoryError(errno, "read", path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  return bytes;  // what is missing of a file cut off is no record
}

}  // namespace

absl::StatusOr<std::unique_ptr<Spool>> Spool::Create(
    const std::string& directory) {
  std::string path = PathIn(directory);
  const File file(
      open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  if (file.fd() < 0) return DirectoryError(errno, "create", path);
  // A page of a hole that finds the disk full when it is written to is a
  // SIGBUS.
  const int error =
      posix_fallocate(file.fd(), 0, static_cast<off_t>(kFileBytes));
  if (error != 0) {
    unlink(path.c_str());
    return DirectoryError(error, "take space for", path);
  }
  void* map = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE, file.fd(), 0);
  if (map == MAP_FAILED) {
    const int failed = errno;
    unlink(path.c_str());
    return DirectoryError(failed, "map", path);
  }
  auto spool =
      absl::WrapUnique(new Spool(std::move(path), static_cast<char*>(map)));
  spool->Begin(0);
  return spool;
}

Spool::Spool(std::string path, char* map)
    : path_(std::move(path)), map_(map), salt_(RandomSalt()) {}

Spool::~Spool() {
  munmap(map_, kFileBytes);
  if (!holds_records()) unlink(path_.c_str());
}

void Spool::Begin(size_t half) {
  half_ = half;
  end_ = kHeaderBytes;
  PutInt(++generation_, 8, HalfAt(half));
  PutInt(salt_, 8, HalfAt(half) + 8);
}

absl::optional<size_t> Spool::Add(absl::Span<const absl::string_view> parts) {
  size_t size = 0;
  for (const absl::string_view part : parts) size += part.size();
  const size_t bytes = RecordBytes(size);
  if (size == 0 || bytes > kSpoolHalfBytes - kHeaderBytes) {
    return absl::nullopt;
  }
  if (bytes > kSpoolHalfBytes - end_) {
    const size_t other = kHalves - 1 - half_;
    if (unfolded_[other] > 0) return absl::nullopt;
    Begin(other);
  }
  char* const at = HalfAt(half_) + end_;
  char* to = at + kRecordHeaderBytes;
  for (const absl::string_view part : parts) {
    std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  PutInt(Checksum(salt_, generation_, end_, {at + kRecordHeaderBytes, size}), 4,
         at + 4);
  PutInt(size, 4, at);
  end_ += bytes;
  ++unfolded_[half_];
  return half_;
}

void Spool::Fold(size_t half) { --unfolded_[half]; }

absl::StatusOr<std::vector<std::string>> ReadSpool(
    const std::string& directory) {
  std::vector<std::string> records;
  const std::string path = PathIn(directory);
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) {
    if (errno == ENOENT) return records;
    return DirectoryError(errno, "read", path);
  }
  FAULTLINE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, path));
  absl::string_view first(bytes.data(), kSpoolHalfBytes);
  absl::string_view second(bytes.data() + kSpoolHalfBytes, kSpoolHalfBytes);
  if (TakeInt(first.data(), 8) > TakeInt(second.data(), 8)) {
    std::swap(first, second);
  }
  ReadHalf(first, records);
  ReadHalf(second, records);
  return records;
}

absl::Status RemoveSpool(const std::string& directory) {
  const std::string path = PathIn(directory);
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return DirectoryError(errno, "remove", path);
}

}  // namespace faultline::storage
