// Models fs/binfmt_elf.c (v6.18): load_elf_binary(), load_elf_interp(),
// elf_load(); arch/x86/entry/vdso/vma.c: map_vdso().
#include "server/machine/task/binfmt_elf.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/fault.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/readahead.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/task/initial_stack.h"
#include "server/machine/task/randomize.h"

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

// total_mapping_size()
uint64_t TotalSize(const ElfImage& image) {
  uint64_t low = ~uint64_t{0}, high = 0;
  for (const ElfSegment& s : image.segments) {
    low = std::min(low, s.vaddr & kPageMask);
    high = std::max(high, s.vaddr + s.memsz);
  }
  return high > low ? high - low : 0;
}

// The file as the loader maps it: an open file of its own.
Id<File> OpenImage(Kernel& k, Id<Inode> inode) {
  Id<File> id = k.open_files.New();
  k.open_files[id].inode = inode;
  k.open_files[id].f_count = 1;
  LookupInode(k, inode);
  k.inodes[inode].opens++;
  return id;
}

// elf_map()
ErrnoOr<VirtAddr> ElfMap(Kernel& k, Mm& mm, Id<File> file, uint64_t addr,
                         const ElfSegment& s, uint64_t flags,
                         uint64_t total_size) {
  uint64_t shift = s.vaddr & ~kPageMask;
  uint64_t size = PageAlign(s.filesz + shift);
  if (size == 0) return VirtAddr(addr & kPageMask);
  if ((s.offset & ~kPageMask) != shift) return Errno::kEINVAL;
  uint64_t total = std::max(size, PageAlign(total_size));
  VirtAddr at = FL_TRY_VALUE(
      DoMmap(k, mm,
             {file, addr & kPageMask, total, s.prot, mman::kPrivate | flags,
              (s.offset - shift) >> kPageShift}));
  if (total > size) FL_TRY(VmMunmap(k, mm, at.value() + size, total - size));
  return at;
}

// vm_brk_flags(): anonymous memory for the tail of bss.
Errno VmBrk(Kernel& k, Mm& mm, uint64_t addr, uint64_t length) {
  if (length == 0) return Errno::kOk;
  MmapWriteLock(mm);
  FL_TRY(DoMunmap(k, mm, VirtAddr(addr), VirtAddr(addr + length)));
  Id<Vma> next;
  Id<Vma> below = FindVmaPrev(k, mm, VirtAddr(addr), &next);
  return DoBrkFlags(k, mm, below, VirtAddr(addr), length);
}

// elf_load(): the file's part, then zeros up to memsz.
ErrnoOr<VirtAddr> ElfLoad(Kernel& k, Mm& mm, Id<File> file, uint64_t addr,
                          const ElfSegment& s, uint64_t flags,
                          uint64_t total_size) {
  VirtAddr at(addr & kPageMask);
  uint64_t shift = s.vaddr & ~kPageMask;
  uint64_t zero_start = at.value() + shift, zero_end = zero_start + s.memsz;
  if (s.filesz > 0) {
    at = FL_TRY_VALUE(ElfMap(k, mm, file, addr, s, flags, total_size));
    zero_start = at.value() + shift + s.filesz;
    zero_end = at.value() + shift + s.memsz;
    if (s.memsz > s.filesz && (zero_start & ~kPageMask) != 0) {
      // padzero(): to the end of the page.
      Errno e = ClearUser(k, mm, VirtAddr(zero_start),
                          PageAlign(zero_start) - zero_start);
      if (e != Errno::kOk && (s.prot & mman::kProtWrite)) return e;
    }
  }
  if (s.memsz > s.filesz) {
    uint64_t from = PageAlign(zero_start), to = PageAlign(zero_end);
    if (to > from) FL_TRY(VmBrk(k, mm, from, to - from));
  }
  return at;
}

// Maps all segments; the bias is what must be added to their addresses.
ErrnoOr<uint64_t> MapImage(Kernel& k, Mm& mm, const ElfImage& image,
                           Id<File> file, uint64_t base, uint64_t flags) {
  uint64_t bias = base, total = TotalSize(image);
  bool first = true;
  for (const ElfSegment& s : image.segments) {
    // The first segment reserves the room of all of a movable image.
    uint64_t size = first && image.position_independent ? total : 0;
    uint64_t how = first ? flags : mman::kFixed;
    uint64_t addr = bias + s.vaddr;
    if (first && base == 0 && image.position_independent) addr = 0;
    VirtAddr at = FL_TRY_VALUE(ElfLoad(k, mm, file, addr, s, how, size));
    if (first && image.position_independent) {
      bias = at.value() - (s.vaddr & kPageMask);
    }
    first = false;
  }
  return bias;
}

// FileRead() into `out`.
Errno ReadBytes(Kernel& k, Id<Inode> inode, FileRa* ra, uint64_t offset,
                uint64_t length, std::string* out) {
  ErrnoOr<std::string> bytes = FileRead(k, inode, ra, offset, length);
  if (bytes.ok()) *out = bytes.value();
  return bytes.error();
}

Errno SpecialMapping(Kernel& k, Mm& mm, VirtAddr addr, uint64_t pages,
                     uint64_t flags, uint64_t first_page, const char* name) {
  Vma& vma = NewVma(k, mm);
  vma.start = addr;
  vma.end = addr + (pages << kPageShift);
  vma.flags = (flags | mm.def_flags | vm::kDontExpand) & ~vm::kLockedMask;
  vma.flags |= SoftDirtyVmFlag(k);
  vma.pgoff = first_page;
  vma.ops = VmOps::kSpecial;
  vma.name = name;
  if (!MayExpandVm(k, mm, vma.flags, pages)) {
    k.vmas.Delete(vma.id);
    return Errno::kENOMEM;
  }
  InsertVma(k, vma);
  VmStatAccount(mm, vma.flags, static_cast<int64_t>(pages));
  return Errno::kOk;
}

// map_vdso(): [vvar], [vvar_vclock] and [vdso] in one hole. Returns the last's.
ErrnoOr<VirtAddr> MapVdso(Kernel& k, Mm& mm) {
  MmapWriteLock(mm);
  constexpr uint64_t kVdsoPages = 2, kVvarPages = 4;
  // Where each stands in the machine's block of special frames.
  constexpr uint64_t kVdsoFirst = 0, kVvarFirst = 2, kClockFirst = 6;
  uint64_t clock_pages = k.quirks.vvar_vclock_pages;
  uint64_t total = (kVvarPages + clock_pages + kVdsoPages) << kPageShift;
  VirtAddr at = FL_TRY_VALUE(GetUnmappedArea(k, mm, {}, 0, total, 0, 0));
  VirtAddr clock = at + (kVvarPages << kPageShift);
  VirtAddr text = clock + (clock_pages << kPageShift);
  FL_TRY(SpecialMapping(k, mm, text, kVdsoPages,
                        vm::kRead | vm::kExec | vm::kMayAll, kVdsoFirst,
                        "[vdso]"));
  constexpr uint64_t kVvarFlags =
      vm::kRead | vm::kMayRead | vm::kIo | vm::kDontDump | vm::kPfnMap;
  FL_TRY(
      SpecialMapping(k, mm, at, kVvarPages, kVvarFlags, kVvarFirst, "[vvar]"));
  if (clock_pages == 0) return text;
  FL_TRY(SpecialMapping(k, mm, clock, clock_pages, kVvarFlags, kClockFirst,
                        "[vvar_vclock]"));
  return text;
}

// start_code and its siblings, from the segments.
void SetCodeAndData(Mm& mm, const ElfImage& image, uint64_t bias,
                    uint64_t* elf_brk) {
  uint64_t start_code = ~uint64_t{0}, end_code = 0, start_data = 0;
  uint64_t end_data = 0;
  *elf_brk = 0;
  for (const ElfSegment& s : image.segments) {
    bool exec = s.prot & mman::kProtExec;
    if (exec) start_code = std::min(start_code, s.vaddr);
    start_data = std::max(start_data, s.vaddr);
    uint64_t file_end = s.vaddr + s.filesz;
    if (exec) end_code = std::max(end_code, file_end);
    end_data = std::max(end_data, file_end);
    *elf_brk = std::max(*elf_brk, s.vaddr + s.memsz + bias);
  }
  mm.start_code = VirtAddr(start_code + bias);
  mm.end_code = VirtAddr(end_code + bias);
  mm.start_data = VirtAddr(start_data + bias);
  mm.end_data = VirtAddr(end_data + bias);
}

// Where the program headers are in memory; 0: in no segment.
uint64_t PhdrAddress(const ElfImage& image, uint64_t bias) {
  for (const ElfSegment& s : image.segments) {
    if (image.phdr_offset >= s.offset &&
        image.phdr_offset < s.offset + s.filesz) {
      return image.phdr_offset - s.offset + s.vaddr + bias;
    }
  }
  return 0;
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
    constexpr uint64_t kPtLoad = 1, kPtInterp = 3;
    if (p.type == kPtInterp && image.interpreter.empty()) {
      if (p.filesz < 2 || p.filesz > kPathMax) return Errno::kENOEXEC;
      FL_TRY(ReadBytes(k, inode, &ra, p.offset, p.filesz, &image.interpreter));
      size_t end = image.interpreter.find('\0');
      if (end == std::string::npos) return Errno::kENOEXEC;
      image.interpreter.resize(end);
    }
    if (p.type != kPtLoad) continue;
    if (p.filesz > p.memsz || p.memsz > kMaxFileBytes) return Errno::kENOEXEC;
    image.segments.push_back(
        {p.vaddr, p.offset, p.filesz, p.memsz, p.align, ProtOf(p.flags)});
  }
  if (image.segments.empty()) return Errno::kENOEXEC;
  return image;
}

ErrnoOr<std::optional<ElfImage>> ReadInterpreter(Kernel& k,
                                                 const ElfImage& image) {
  if (image.interpreter.empty()) return std::optional<ElfImage>();
  auto it = k.names.find(image.interpreter);
  if (it == k.names.end()) return Errno::kENOENT;
  const Inode& inode = std::as_const(k).inodes[it->second];
  if ((inode.mode & 0111) == 0) return Errno::kEACCES;
  if (inode.size < kEhdr64) return Errno::kEIO;
  ErrnoOr<ElfImage> interpreter =
      ReadElf(k, it->second, FileRaInit(k, k.inodes[it->second]));
  if (interpreter.error() == Errno::kENOEXEC) return Errno::kELIBBAD;
  if (!interpreter.ok()) return interpreter.error();
  return std::optional<ElfImage>(std::move(interpreter.value()));
}

Errno LoadElf(Kernel& k, Mm& mm, const ElfImage& image,
              const std::optional<ElfImage>& interpreter, const Execve& call,
              const std::function<Errno(uint64_t bytes)>& make_stack) {
  InitialStack stack(std::as_const(k), mm, call);
  FL_TRY(make_stack(stack.StringBytes(mm)));
  mm.exe_file = OpenImage(k, image.inode);
  // ELF_ET_DYN_BASE
  const uint64_t dyn_base = mm.task_size == 0xc0000000
                                ? mm.task_size / 3 * 2
                                : uint64_t{0x7ffffffff000} / 3 * 2;
  const bool loader = image.position_independent && image.interpreter.empty();
  uint64_t base = 0, flags = mman::kFixedNoReplace;
  if (image.position_independent && !loader) {
    uint64_t align = kPageSize;
    for (const ElfSegment& s : image.segments) {
      bool power = s.align != 0 && (s.align & (s.align - 1)) == 0;
      if (power) align = std::max(align, s.align);
    }
    base = ((dyn_base + ArchMmapRnd(k)) & ~(align - 1)) -
           (image.segments.front().vaddr & kPageMask);
  } else if (loader) {
    flags = 0;  // a static PIE is placed like any mapping
  }
  Id<File> file = mm.exe_file;
  uint64_t bias = FL_TRY_VALUE(MapImage(k, mm, image, file, base, flags));
  uint64_t elf_brk = 0;
  SetCodeAndData(mm, image, bias, &elf_brk);
  LoadedImages loaded{.phdr = PhdrAddress(image, bias),
                      .phdr_count = image.phdr_count,
                      .entry = image.entry + bias};
  if (interpreter) {
    Id<File> interp_file = OpenImage(k, interpreter->inode);
    auto mapped =
        MapImage(k, mm, *interpreter, interp_file, 0,
                 interpreter->position_independent ? 0 : mman::kFixedNoReplace);
    PutFile(k, interp_file);
    if (!mapped.ok()) return mapped.error();
    loaded.base = mapped.value();
  }
  loaded.vdso = FL_TRY_VALUE(MapVdso(k, mm)).value();
  FL_TRY(stack.Write(k, mm, loaded));
  if (loader) elf_brk = dyn_base;
  mm.start_brk = mm.brk = ArchRandomizeBrk(k, VirtAddr(PageAlign(elf_brk)));
  return Errno::kOk;
}

}  // namespace faultline
