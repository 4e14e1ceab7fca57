#include "server/machine/hw/frames.h"

#include <algorithm>
#include <cstring>

#include "server/machine/base/archive.h"

namespace faultline {

uint64_t PageBytes::InlineWord(uint8_t fill, uint32_t offset, uint8_t byte) {
  if (byte == fill) offset = 0;
  uint64_t w =
      uint64_t{fill} << 8 | uint64_t{byte} << 16 | uint64_t{offset} << 24;
  return w == 0 ? 0 : w | kInline;
}

PageBytes PageBytes::Filled(uint8_t byte) {
  return PageBytes(InlineWord(byte, 0, byte));
}

void PageBytes::WriteToShared(uint32_t offset, uint8_t byte) {
  if (!IsBuffer()) {
    if (Read(offset) == byte) return;
    bool one_differs = inline_byte() != fill();
    if (!one_differs || inline_offset() == offset) {
      w_ = InlineWord(fill(), offset, byte);
      return;
    }
  }
  reinterpret_cast<uint8_t*>(MutWords())[offset] = byte;
}

void PageBytes::CopyTo(uint32_t from, uint32_t n, char* to) const {
  if (IsBuffer()) {
    std::memcpy(to, buffer()->bytes + from, n);
    return;
  }
  std::memset(to, fill(), n);
  const uint32_t at = inline_offset();
  if (w_ != 0 && at >= from && at - from < n) {
    to[at - from] = static_cast<char>(inline_byte());
  }
}

void PageBytes::CopyFrom(uint32_t from, std::string_view bytes) {
  while (!bytes.empty()) {
    // What has a buffer of its own takes the rest at once.
    if (IsBuffer() && buffer()->refs.unique()) {
      std::memcpy(buffer()->bytes + from, bytes.data(), bytes.size());
      return;
    }
    Write(from++, static_cast<uint8_t>(bytes.front()));
    bytes.remove_prefix(1);
  }
}

void PageBytes::Zero(uint32_t from, uint32_t n) {
  if (n == kPageSize) {
    *this = PageBytes();
  } else if (n > 0 && w_ != 0) {
    std::memset(reinterpret_cast<uint8_t*>(MutWords()) + from, 0, n);
  }
}

bool PageBytes::IsZero() const {
  if (!IsBuffer()) return w_ == 0;
  const uint64_t* w = words();
  return std::all_of(w, w + kPageSize / 8, [](uint64_t x) { return x == 0; });
}

const uint8_t* PageBytes::Expand(uint8_t* scratch) const {
  if (IsBuffer()) return buffer()->bytes;
  std::memset(scratch, fill(), kPageSize);
  if (w_ != 0) scratch[inline_offset()] = inline_byte();
  return scratch;
}

int PageBytes::Compare(const PageBytes& o) const {
  if (w_ == o.w_) return 0;
  uint8_t mine[kPageSize], others[kPageSize];
  return std::memcmp(Expand(mine), o.Expand(others), kPageSize);
}

uint32_t PageBytes::Checksum() const {
  uint8_t scratch[kPageSize];
  Hasher hasher;
  hasher.Raw(Expand(scratch), kPageSize);
  return static_cast<uint32_t>(hasher.hash());
}

uint64_t* PageBytes::MutWords() {
  if (!IsBuffer()) {
    auto* fresh = new Buffer;
    std::memset(fresh->bytes, fill(), kPageSize);
    if (w_ != 0) fresh->bytes[inline_offset()] = inline_byte();
    w_ = reinterpret_cast<uint64_t>(fresh);
  } else if (!buffer()->refs.unique()) {
    auto* fresh = new Buffer(*buffer());
    *this = PageBytes(reinterpret_cast<uint64_t>(fresh));
  }
  return reinterpret_cast<uint64_t*>(buffer()->bytes);
}

}  // namespace faultline
