// Models fs/binfmt_elf.c (v6.18): load_elf_phdrs(), and what load_elf_binary()
// does before the point of no return.
#include <algorithm>
#include <utility>

#include "server/machine/mm/filemap.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/task/binfmt_elf.h"
#include "server/machine/task/exec.h"

namespace faultline {
namespace {

// Reads little-endian fields of a header.
class Field {
 public:
  explicit Field(const std::string& bytes) : bytes_(bytes) {}
  uint64_t At(uint64_t offset, int size) const {
    uint64_t v = 0;
    for (int i = 0; i < size && offset + i < bytes_.size(); i++) {
      v |= uint64_t{static_cast<unsigned char>(bytes_[offset + i])} << (8 * i);
    }
    return v;
  }

 private:
  const std::string& bytes_;
};

constexpr uint64_t kEhdr64 = 64, kPhdr64 = 56, kEhdr32 = 52, kPhdr32 = 32;
constexpr uint64_t kPhdrsMax = 65536 / kPhdr64;
constexpr uint64_t kPathMax = 4096;

struct Phdr {
  uint64_t type, flags, offset, vaddr, filesz, memsz, align;
};

Phdr ParsePhdr(const Field& f, uint64_t at, bool wide) {
  if (wide) {
    return {f.At(at, 4),      f.At(at + 4, 4),  f.At(at + 8, 8),
            f.At(at + 16, 8), f.At(at + 32, 8), f.At(at + 40, 8),
            f.At(at + 48, 8)};
  }
  return {f.At(at, 4),      f.At(at + 24, 4), f.At(at + 4, 4), f.At(at + 8, 4),
          f.At(at + 16, 4), f.At(at + 20, 4), f.At(at + 28, 4)};
}

uint64_t ProtOf(uint64_t phdr_flags) {
  uint64_t prot = 0;
  if (phdr_flags & 4) prot |= mman::kProtRead;
  if (phdr_flags & 2) prot |= mman::kProtWrite;
  if (phdr_flags & 1) prot |= mman::kProtExec;
  return prot;
}

// FileRead() into `out`.
Errno ReadBytes(Kernel& k, Id<Inode> inode, FileRa* ra, uint64_t offset,
                uint64_t length, std::string* out) {
  ErrnoOr<std::string> bytes = FileRead(k, inode, ra, offset, length);
  if (bytes.ok()) *out = bytes.value();
  return bytes.error();
}

}  // namespace

ErrnoOr<ElfImage> ReadElf(Kernel& k, Id<Inode> inode, FileRa ra) {
  bool wide = k.config.profile == Profile::kX86_64;
  std::string head;
  FL_TRY(ReadBytes(k, inode, &ra, 0, kEhdr64, &head));
  if (head.size() < (wide ? kEhdr64 : kEhdr32)) return Errno::kENOEXEC;
  const std::string kMagic(
      "\x7f"
      "ELF");
  if (head.compare(0, 4, kMagic) != 0) return Errno::kENOEXEC;
  if (head[4] != (wide ? 2 : 1) || head[5] != 1) return Errno::kENOEXEC;
  Field f(head);
  constexpr uint64_t kEtExec = 2, kEtDyn = 3, kEmX86_64 = 62, kEm386 = 3;
  ElfImage image;
  image.inode = inode;
  uint64_t type = f.At(16, 2);
  if (type != kEtExec && type != kEtDyn) return Errno::kENOEXEC;
  if (f.At(18, 2) != (wide ? kEmX86_64 : kEm386)) return Errno::kENOEXEC;
  image.position_independent = type == kEtDyn;
  image.entry = f.At(24, wide ? 8 : 4);
  uint64_t phoff = f.At(wide ? 32 : 28, wide ? 8 : 4);
  uint64_t phentsize = f.At(wide ? 54 : 42, 2);
  image.phdr_offset = phoff;
  image.phdr_count = f.At(wide ? 56 : 44, 2);
  uint64_t want = wide ? kPhdr64 : kPhdr32;
  if (phentsize != want || image.phdr_count == 0 ||
      image.phdr_count > kPhdrsMax) {
    return Errno::kENOEXEC;
  }
  std::string table;
  FL_TRY(ReadBytes(k, inode, &ra, phoff, want * image.phdr_count, &table));
  if (table.size() < want * image.phdr_count) return Errno::kENOEXEC;
  Field rows(table);
  for (uint64_t i = 0; i < image.phdr_count; i++) {
    Phdr p = ParsePhdr(rows, i * want, wide);
    constexpr uint64_t kPtLoad = 1, kPtInterp = 3, kPtGnuStack = 0x6474e551;
    if (p.type == kPtInterp && image.interpreter.empty()) {
      if (p.filesz < 2 || p.filesz > kPathMax) return Errno::kENOEXEC;
      FL_TRY(ReadBytes(k, inode, &ra, p.offset, p.filesz, &image.interpreter));
      if (image.interpreter.size() < p.filesz) return Errno::kEIO;
      if (image.interpreter.back() != '\0') return Errno::kENOEXEC;
      image.interpreter.resize(image.interpreter.find('\0'));
    }
    if (p.type == kPtGnuStack) {
      image.executable_stack = ProtOf(p.flags) & mman::kProtExec;
    }
    if (p.type != kPtLoad) continue;
    image.segments.push_back(
        {p.vaddr, p.offset, p.filesz, p.memsz, p.align, ProtOf(p.flags)});
  }
  return image;
}

ErrnoOr<std::optional<ElfImage>> ReadInterpreter(Kernel& k,
                                                 const ElfImage& image) {
  if (image.interpreter.empty()) return std::optional<ElfImage>();
  const Id<Inode> id = FL_TRY_VALUE(OpenExec(k, image.interpreter));
  const Inode& inode = std::as_const(k).inodes[id];
  if (inode.size < kEhdr64) return Errno::kEIO;
  ErrnoOr<ElfImage> interpreter = ReadElf(k, id, FileRaInit(k, inode));
  if (interpreter.error() == Errno::kENOEXEC) return Errno::kELIBBAD;
  if (!interpreter.ok()) return interpreter.error();
  return std::optional<ElfImage>(std::move(interpreter.value()));
}

}  // namespace faultline
