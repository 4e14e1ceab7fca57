#include "server/codec/access_many.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "faultline/v1/command.pb.h"
#include "server/limits.h"

namespace faultline {
namespace {

// How the bytes after a tag are to be read.
enum WireType : uint32_t { kVarint = 0, kBytes = 2 };
constexpr uint32_t Tag(uint32_t field, WireType type) {
  return field << 3 | type;
}

// The fields of a message, of which each may be there once.
class FieldReader {
 public:
  explicit FieldReader(absl::string_view bytes)
      : in_(reinterpret_cast<const uint8_t*>(bytes.data()),
            static_cast<int>(bytes.size())) {}

  // 0 after the last field, and after one that came before.
  uint32_t Next() {
    const int start = in_.CurrentPosition();
    const uint32_t tag = in_.ReadTag();
    const uint32_t field = tag >> 3;
    if (in_.CurrentPosition() - start > 2) return 0;  // longer than need be
    if (field >= 64 || (seen_ >> field & 1) != 0) return 0;
    seen_ |= uint64_t{1} << field;
    return tag;
  }
  // True when Next() returned 0 because all was read.
  bool AtEnd() { return in_.ConsumedEntireMessage(); }

  bool Take(uint64_t& value) { return in_.ReadVarint64(&value); }
  bool Take(absl::string_view& value) {
    uint32_t size = 0;
    const void* start = nullptr;
    int left = 0;
    const int before = in_.CurrentPosition();
    if (!in_.ReadVarint32(&size)) return false;
    // Protobuf has another opinion of longer ones.
    if (in_.CurrentPosition() - before > 4) return false;
    if (size == 0) return true;
    if (!in_.GetDirectBufferPointer(&start, &left) ||
        size > static_cast<uint32_t>(left)) {
      return false;
    }
    value = absl::string_view(static_cast<const char*>(start), size);
    return in_.Skip(static_cast<int>(size));
  }

 private:
  google::protobuf::io::CodedInputStream in_;
  uint64_t seen_ = 1;  // the fields; there is none of number 0
};

bool EndsNumber(char byte) { return (byte & 0x80) == 0; }

// The number at `at`, which moves behind it. Somewhere behind is a byte that
// ends a number.
uint64_t TakeNumber(const char*& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const char byte = *at++;
    // What does not fit is dropped, as protobuf does.
    if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (EndsNumber(byte)) return value;
  }
}

bool TakeColumn(FieldReader& fields, std::vector<uint64_t>& column) {
  absl::string_view packed;
  if (!fields.Take(packed)) return false;
  if (packed.empty()) return true;
  // One that does not end, or takes more than ten bytes, is for protobuf.
  if (!EndsNumber(packed.back())) return false;
  column.resize(static_cast<size_t>(
      std::count_if(packed.begin(), packed.end(), EndsNumber)));
  const char* at = packed.data();
  for (uint64_t& number : column) {
    const char* const start = at;
    number = TakeNumber(at);
    if (at - start > 10) return false;
  }
  return true;
}

bool TakeColumn(FieldReader& fields, std::vector<AccessKind>& column) {
  constexpr auto kLast = static_cast<uint8_t>(AccessKind::kFetch);
  absl::string_view packed;
  if (!fields.Take(packed)) return false;
  column.resize(packed.size());
  uint8_t greatest = 0;
  for (size_t i = 0; i < packed.size(); ++i) {
    // 0 becomes 255, and a byte of a longer number is at least 127.
    const auto kind = static_cast<uint8_t>(packed[i] - 1);
    greatest = std::max(greatest, kind);
    column[i] = static_cast<AccessKind>(kind);
  }
  return greatest <= kLast;
}

bool TakeField(FieldReader& fields, uint32_t tag, AccessMany& many) {
  absl::string_view bytes;
  uint64_t number = 0;
  switch (tag) {
    case Tag(v1::AccessMany::kBaseFieldNumber, kVarint):
      return fields.Take(many.base);
    case Tag(v1::AccessMany::kAddrFieldNumber, kBytes):
      return TakeColumn(fields, many.addr);
    case Tag(v1::AccessMany::kKindFieldNumber, kBytes):
      return TakeColumn(fields, many.kind);
    case Tag(v1::AccessMany::kCountFieldNumber, kBytes):
      return TakeColumn(fields, many.count);
    case Tag(v1::AccessMany::kStrideFieldNumber, kBytes):
      return TakeColumn(fields, many.stride);
    case Tag(v1::AccessMany::kValueFieldNumber, kBytes):
      if (!fields.Take(bytes) || bytes.size() > limits::kManyEntriesMax) {
        return false;
      }
      many.value = std::string(bytes);
      return true;
    case Tag(v1::AccessMany::kDataFieldNumber, kVarint):
      if (!fields.Take(number)) return false;
      many.data = number != 0;
      return true;
    default:
      return false;
  }
}

bool TakeAccesses(absl::string_view bytes, AccessMany& many) {
  FieldReader fields(bytes);
  while (const uint32_t tag = fields.Next()) {
    if (!TakeField(fields, tag, many)) return false;
  }
  return fields.AtEnd();
}

}  // namespace

bool AccessManyFromBytes(absl::string_view bytes, Command& command) {
  FieldReader fields(bytes);
  bool is_one = false;
  while (const uint32_t tag = fields.Next()) {
    if (tag == Tag(v1::Command::kPidFieldNumber, kVarint)) {
      uint64_t pid = 0;
      if (!fields.Take(pid)) return false;
      command.pid = static_cast<uint32_t>(pid);
    } else if (tag == Tag(v1::Command::kAccessManyFieldNumber, kBytes)) {
      absl::string_view accesses;
      if (!fields.Take(accesses)) return false;
      if (!TakeAccesses(accesses, command.op.emplace<AccessMany>())) {
        return false;
      }
      is_one = true;
    } else {
      return false;
    }
  }
  return is_one && fields.AtEnd();
}

}  // namespace faultline
