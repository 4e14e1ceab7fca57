// Models fs/binfmt_elf.c (v6.18): load_elf_binary(), load_elf_interp(),
// elf_load().
#include "server/machine/task/binfmt_elf.h"

#include <algorithm>
#include <utility>

#include "server/machine/mm/brk_flags.h"
#include "server/machine/mm/fault.h"
#include "server/machine/mm/filemap.h"
#include "server/machine/mm/mmap.h"
#include "server/machine/mm/mmap_lock.h"
#include "server/machine/mm/pgtable.h"
#include "server/machine/mm/super_cache.h"
#include "server/machine/mm/util.h"
#include "server/machine/mm/vma.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/task/initial_stack.h"
#include "server/machine/task/randomize.h"
#include "server/machine/task/vdso.h"

namespace faultline {
namespace {

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

// vm_brk_flags(): anonymous memory for the tail of bss, executable when the
// segment is.
Errno VmBrkFlags(Kernel& k, Mm& mm, uint64_t addr, uint64_t length,
                 uint64_t flags) {
  if (length == 0) return Errno::kOk;
  MmapWriteLock(mm);
  FL_TRY(GetUnmappedArea(k, mm, {}, addr, length, 0, mman::kFixed).error());
  FL_TRY(DoMunmap(k, mm, VirtAddr(addr), VirtAddr(addr + length)));
  Id<Vma> next;
  Id<Vma> below = FindVmaPrev(k, mm, VirtAddr(addr), &next);
  return DoBrkFlags(k, mm, below, VirtAddr(addr), length, flags);
}

// elf_load(): the file's part, then zeros up to memsz. A segment without a
// part of the file is zeros from the start of its page.
ErrnoOr<VirtAddr> ElfLoad(Kernel& k, Mm& mm, Id<File> file, uint64_t addr,
                          const ElfSegment& s, uint64_t flags,
                          uint64_t total_size) {
  VirtAddr at(addr & kPageMask);
  const uint64_t shift = s.vaddr & ~kPageMask;
  uint64_t zero_start = at.value();
  if (s.filesz > 0) {
    at = FL_TRY_VALUE(ElfMap(k, mm, file, addr, s, flags, total_size));
    zero_start = at.value() + shift + s.filesz;
    if (s.memsz > s.filesz && (zero_start & ~kPageMask) != 0) {
      // padzero(): to the end of the page.
      Errno e = ClearUser(k, mm, VirtAddr(zero_start),
                          PageAlign(zero_start) - zero_start);
      if (e != Errno::kOk && (s.prot & mman::kProtWrite)) return e;
    }
  }
  if (s.memsz > s.filesz) {
    const uint64_t from = PageAlign(zero_start);
    const uint64_t to = PageAlign(at.value() + shift + s.memsz);
    const uint64_t exec = s.prot & mman::kProtExec ? vm::kExec : 0;
    FL_TRY(VmBrkFlags(k, mm, from, to - from, exec));
  }
  return at;
}

// BAD_ADDR()
bool BadAddr(const Mm& mm, uint64_t addr) { return addr >= mm.task_size; }

// Does a segment, already mapped at `addr`, say what cannot be?
bool IsImpossible(const Mm& mm, const ElfSegment& s, uint64_t addr) {
  return BadAddr(mm, addr) || s.filesz > s.memsz || s.memsz > mm.task_size ||
         mm.task_size - s.memsz < addr;
}

// maximum_alignment(); what is no power of two does not count.
uint64_t MaximumAlignment(const ElfImage& image) {
  uint64_t align = kPageSize;
  for (const ElfSegment& s : image.segments) {
    const bool power = s.align != 0 && (s.align & (s.align - 1)) == 0;
    if (power) align = std::max(align, s.align);
  }
  return align;
}

// ELF_ET_DYN_BASE
uint64_t ElfEtDynBase(const Mm& mm) {
  const uint64_t size =
      mm.task_size == 0xc0000000 ? mm.task_size : uint64_t{0x7ffffffff000};
  return size / 3 * 2;
}

// Where a program goes: what is added to its addresses, how its first segment
// is mapped, and the room which that reserves (0: its own).
struct Placement {
  uint64_t bias = 0;
  uint64_t flags = mman::kFixedNoReplace;
  uint64_t room = 0;
};

ErrnoOr<Placement> PlaceProgram(Kernel& k, Mm& mm, const ElfImage& image,
                                Id<File> file) {
  Placement to;
  if (!image.position_independent || image.segments.empty()) return to;
  const ElfSegment& first = image.segments.front();
  const uint64_t align = MaximumAlignment(image);
  to.room = TotalSize(image);
  if (to.room == 0) return Errno::kEINVAL;
  uint64_t base = 0;
  if (!image.interpreter.empty()) {
    base = (ElfEtDynBase(mm) + ArchMmapRnd(k)) & ~(align - 1);
  } else if (align > kPageSize) {
    // A static PIE is placed like any mapping. It is mapped once to learn
    // where that is, and then again at the alignment below.
    base = FL_TRY_VALUE(ElfLoad(k, mm, file, 0, first, 0, to.room)).value();
    (void)VmMunmap(k, mm, base, to.room);
    base &= ~(align - 1);
  } else {
    to.flags = 0;
  }
  to.bias = (base - first.vaddr) & kPageMask;
  return to;
}

// Maps a program's segments; the bias is what was added to their addresses.
ErrnoOr<uint64_t> MapProgram(Kernel& k, Mm& mm, const ElfImage& image,
                             Id<File> file) {
  Placement to = FL_TRY_VALUE(PlaceProgram(k, mm, image, file));
  bool first = true;
  for (const ElfSegment& s : image.segments) {
    const uint64_t addr = to.bias + s.vaddr;
    VirtAddr at =
        FL_TRY_VALUE(ElfLoad(k, mm, file, addr, s, to.flags, to.room));
    if (first && image.position_independent) {
      to.bias += at.value() - (addr & kPageMask);
    }
    if (IsImpossible(mm, s, s.vaddr)) return Errno::kEINVAL;
    // The others go into the room of the first.
    to.flags = mman::kFixed;
    to.room = 0;
    first = false;
  }
  return to.bias;
}

// load_elf_interp(): an interpreter that cannot be moved replaces what is
// there, were it the program. `program_bias` 0: the program does not move, and
// then the interpreter's own address is a hint.
ErrnoOr<uint64_t> MapInterpreter(Kernel& k, Mm& mm, const ElfImage& image,
                                 Id<File> file, uint64_t program_bias) {
  uint64_t bias = 0, room = TotalSize(image);
  if (room == 0) return Errno::kEINVAL;
  bool placed = !image.position_independent;
  for (const ElfSegment& s : image.segments) {
    if (!placed && program_bias != 0) bias = -s.vaddr;
    VirtAddr at = FL_TRY_VALUE(ElfLoad(k, mm, file, bias + s.vaddr, s,
                                       placed ? mman::kFixed : 0, room));
    room = 0;
    if (!placed) bias = at.value() - (s.vaddr & kPageMask);
    placed = true;
    if (IsImpossible(mm, s, bias + s.vaddr)) return Errno::kENOMEM;
  }
  return bias;
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

Errno LoadElf(Kernel& k, Mm& mm, const ElfImage& image,
              const std::optional<ElfImage>& interpreter, const Execve& call,
              const std::function<Errno(uint64_t bytes)>& make_stack) {
  InitialStack stack(std::as_const(k), mm, call);
  FL_TRY(make_stack(stack.StringBytes(mm)));
  mm.exe_file = OpenImage(k, image.inode);
  const bool loader = image.position_independent && image.interpreter.empty();
  uint64_t bias = FL_TRY_VALUE(MapProgram(k, mm, image, mm.exe_file));
  uint64_t elf_brk = 0;
  SetCodeAndData(mm, image, bias, &elf_brk);
  LoadedImages loaded{.phdr = PhdrAddress(image, bias),
                      .phdr_count = image.phdr_count,
                      .entry = image.entry + bias};
  if (interpreter) {
    Id<File> interp_file = OpenImage(k, interpreter->inode);
    auto mapped = MapInterpreter(k, mm, *interpreter, interp_file, bias);
    PutFile(k, interp_file);
    if (!mapped.ok()) return mapped.error();
    loaded.base = mapped.value();
  }
  // Where the first instruction is.
  const uint64_t start =
      interpreter ? loaded.base + interpreter->entry : loaded.entry;
  if (BadAddr(mm, start)) return Errno::kEINVAL;
  loaded.vdso = FL_TRY_VALUE(MapVdso(k, mm)).value();
  FL_TRY(stack.Write(k, mm, loaded));
  if (loader) elf_brk = ElfEtDynBase(mm);
  mm.start_brk = mm.brk = ArchRandomizeBrk(k, VirtAddr(PageAlign(elf_brk)));
  return Errno::kOk;
}

}  // namespace faultline
