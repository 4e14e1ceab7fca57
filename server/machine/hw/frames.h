// Physical memory: the bytes of each page frame, real but sparse. A frame that
// holds zeros costs nothing; one whose bytes are all alike (a synthetic file
// pattern) plus at most one that differs costs a word; any other holds 4096
// bytes, shared between frames and between copies of the machine until
// somebody writes. Page tables live here too, as words whose entries
// hw/paging.h knows.
#ifndef FAULTLINE_SERVER_MACHINE_HW_FRAMES_H_
#define FAULTLINE_SERVER_MACHINE_HW_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "server/machine/base/cow.h"
#include "server/machine/base/units.h"

namespace faultline {

// The contents of one frame. Copying shares the bytes.
class PageBytes {
 public:
  PageBytes() = default;
  static PageBytes Filled(uint8_t byte);
  PageBytes(const PageBytes& o) : w_(o.w_) {
    if (IsBuffer()) buffer()->refs.Up();
  }
  PageBytes(PageBytes&& o) noexcept : w_(std::exchange(o.w_, 0)) {}
  PageBytes& operator=(PageBytes o) noexcept {
    std::swap(w_, o.w_);
    return *this;
  }
  ~PageBytes() {
    if (IsBuffer() && buffer()->refs.Down()) delete buffer();
  }

  uint8_t Read(uint32_t offset) const {
    if (IsBuffer()) return buffer()->bytes[offset];
    return offset == inline_offset() ? inline_byte() : fill();
  }
  void Write(uint32_t offset, uint8_t byte) {
    if (IsBuffer() && buffer()->refs.unique()) [[likely]] {
      buffer()->bytes[offset] = byte;
    } else {
      WriteToShared(offset, byte);
    }
  }
  // Copies bytes [from, from + n) out, and in.
  void CopyTo(uint32_t from, uint32_t n, char* to) const;
  void CopyFrom(uint32_t from, std::string_view bytes);
  // Sets bytes [from, from + n) to zero.
  void Zero(uint32_t from, uint32_t n);
  bool IsZero() const;
  // As memcmp() of the bytes.
  int Compare(const PageBytes& o) const;
  // A hash of the bytes, however they are held.
  uint32_t Checksum() const;
  // True when the bytes need 4096 bytes of host memory.
  bool IsBuffer() const { return w_ != 0 && (w_ & kInline) == 0; }

  // The frame as 512 words; nullptr stands for all zeros.
  const uint64_t* words() const {
    return IsBuffer() ? reinterpret_cast<const uint64_t*>(buffer()->bytes)
                      : nullptr;
  }
  uint64_t* MutWords();

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& self) {
    uint64_t tag = self.IsBuffer() ? 2 : self.w_;
    if constexpr (Ar::kReading) {
      tag = ar.Number();
      if (tag == 2) {
        ar.Raw(self.MutWords(), kPageSize);
      } else if (tag != 0 && (tag & kInline) == 0) {
        throw ArchiveError("a page of the saved machine has no known form");
      } else {
        self = PageBytes(tag);
      }
    } else {
      ar.Number(tag);
      if (tag == 2) ar.Raw(self.buffer()->bytes, kPageSize);
    }
  }

 private:
  struct Buffer {
    RefCount refs;
    alignas(16) uint8_t bytes[kPageSize];
  };
  // Inline form: bit 0 set, fill in bits 8-15, one other byte (bits 16-23) at
  // the offset in bits 24-35. 0 is the inline form of a page of zeros.
  static constexpr uint64_t kInline = 1;
  explicit PageBytes(uint64_t word) : w_(word) {}
  // To bytes that are inline, or that others have too.
  void WriteToShared(uint32_t offset, uint8_t byte);
  static uint64_t InlineWord(uint8_t fill, uint32_t offset, uint8_t byte);
  // All 4096 bytes: the buffer's, or `scratch` filled with them.
  const uint8_t* Expand(uint8_t* scratch) const;
  Buffer* buffer() const { return reinterpret_cast<Buffer*>(w_); }
  uint8_t fill() const { return static_cast<uint8_t>(w_ >> 8); }
  uint8_t inline_byte() const { return static_cast<uint8_t>(w_ >> 16); }
  uint32_t inline_offset() const { return (w_ >> 24) & 0xfff; }

  uint64_t w_ = 0;
};

// All of physical memory, indexed by page frame number.
class Frames {
 public:
  const PageBytes& operator[](Pfn pfn) const { return bytes_[pfn.value()]; }
  PageBytes& operator[](Pfn pfn) { return bytes_[pfn.value()]; }

  // A page-table page, for PagingMode::Load() and Store(). The const form gives
  // nullptr for one without entries.
  const uint64_t* Table(Pfn pfn) const { return bytes_[pfn.value()].words(); }
  uint64_t* MutTable(Pfn pfn) { return bytes_[pfn.value()].MutWords(); }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& self) {
    ar(self.bytes_);
  }

 private:
  CowArray<PageBytes, 9> bytes_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_HW_FRAMES_H_
