#include "server/scenario/image.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace faultline::scenario {
namespace {

constexpr uint64_t kPageSize = 4096;
// Where a program is linked that cannot be moved.
constexpr uint64_t kLinkBase = 0x400000;
// elf.h: sizes of the headers, types of a file and of a segment, its flags.
constexpr uint64_t kEhdrBytes = 64, kPhdrBytes = 56;
constexpr uint64_t kEtExec = 2, kEtDyn = 3, kEmX86_64 = 62;
constexpr uint64_t kPtLoad = 1, kPtInterp = 3;
constexpr uint64_t kPfExec = 1, kPfWrite = 2, kPfRead = 4;

uint64_t PageAlign(uint64_t bytes) {
  return (bytes + kPageSize - 1) & ~(kPageSize - 1);
}

// Little-endian fields, one after the other.
class Fields {
 public:
  Fields& Add(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      bytes_.push_back(static_cast<char>(value >> (8 * i)));
    }
    return *this;
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

struct Segment {
  uint64_t type, flags, offset, address, in_file, in_memory;
};

// Elf64_Phdr.
std::string Phdr(const Segment& s) {
  return Fields()
      .Add(s.type, 4)
      .Add(s.flags, 4)
      .Add(s.offset, 8)
      .Add(s.address, 8)
      .Add(s.address, 8)
      .Add(s.in_file, 8)
      .Add(s.in_memory, 8)
      .Add(kPageSize, 8)
      .Take();
}

// Elf64_Ehdr, with the program headers right behind it.
std::string Ehdr(uint64_t type, uint64_t entry, uint64_t segments) {
  return std::string(
             "\x7f"
             "ELF\2\1\1",
             7) +
         std::string(9, '\0') +
         Fields()
             .Add(type, 2)
             .Add(kEmX86_64, 2)
             .Add(1, 4)
             .Add(entry, 8)
             .Add(kEhdrBytes, 8)
             .Add(0, 8)  // no section headers
             .Add(0, 4)
             .Add(kEhdrBytes, 2)
             .Add(kPhdrBytes, 2)
             .Add(segments, 2)
             .Add(0, 6)
             .Take();
}

}  // namespace

ImageFile BuildImage(const ImageDeclaration& image) {
  const uint64_t base = image.movable ? 0 : kLinkBase;
  const uint64_t data_at = PageAlign(image.text_bytes);
  const uint64_t name_bytes = image.interpreter.size() + 1;
  std::vector<Segment> segments;
  if (!image.interpreter.empty()) {
    segments.push_back({kPtInterp, kPfRead, 0, 0, name_bytes, name_bytes});
  }
  segments.push_back({kPtLoad, kPfRead | kPfExec, 0, base, image.text_bytes,
                      image.text_bytes});
  if (image.data_bytes + image.bss_bytes > 0) {
    segments.push_back({kPtLoad, kPfRead | kPfWrite, data_at, base + data_at,
                        image.data_bytes, image.data_bytes + image.bss_bytes});
  }
  const uint64_t end = kEhdrBytes + segments.size() * kPhdrBytes;
  if (!image.interpreter.empty()) segments.front().offset = end;
  ImageFile file;
  file.head =
      Ehdr(image.movable ? kEtDyn : kEtExec, base + end, segments.size());
  for (const Segment& segment : segments) file.head += Phdr(segment);
  if (!image.interpreter.empty()) {
    file.head.append(image.interpreter.c_str(), name_bytes);
  }
  file.size_bytes =
      std::max<uint64_t>(data_at + image.data_bytes, file.head.size());
  return file;
}

}  // namespace faultline::scenario
