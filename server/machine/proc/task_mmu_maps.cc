// /proc/PID/maps. Models fs/proc/task_mmu.c (v6.18): show_map_vma(),
// show_vma_header_prefix(), get_vma_name(); arch/x86/entry/vsyscall:
// get_gate_vma().
#include "server/machine/proc/proc_files.h"

namespace faultline {
namespace {

constexpr uint64_t kVsyscallAddr = 0xffffffffff600000;

}  // namespace

// Before 6.7 a VMA that only touches the heap was one.
bool IsInitialHeap(const Kernel& k, const Mm& mm, const Vma& vma) {
  if (k.quirks.heap_needs_overlap) {
    return vma.start < mm.brk && vma.end > mm.start_brk;
  }
  return vma.start <= mm.brk && vma.end >= mm.start_brk;
}

bool IsInitialStack(const Mm& mm, const Vma& vma) {
  return vma.start <= mm.start_stack && vma.end >= mm.start_stack;
}

std::string PathText(const Inode& inode, std::string_view escaped) {
  std::string path = inode.path;
  if (!inode.linked) path += " (deleted)";
  std::string out;
  for (const char c : path) {
    if (escaped.find(c) == std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('\\');
    for (int shift : {6, 3, 0}) {
      out.push_back(static_cast<char>('0' + (byte >> shift & 7)));
    }
  }
  return out;
}

std::string VmaName(const Kernel& k, const Vma& vma) {
  if (vma.file) {
    if (!vma.name.empty()) return "[anon_shmem:" + vma.name + "]";
    // A newline would start a line of its own.
    return PathText(k.inodes[k.open_files[vma.file].inode], "\n");
  }
  if (vma.ops == VmOps::kSpecial) return vma.name;
  const Mm& mm = k.mms[vma.mm];
  if (IsInitialHeap(k, mm, vma)) return "[heap]";
  if (IsInitialStack(mm, vma)) return "[stack]";
  return vma.name.empty() ? "" : "[anon:" + vma.name + "]";
}

void ShowMapColumns(const Kernel& k, SeqFile& m, const MapColumns& c) {
  const size_t pointer_bytes = Is64Bit(k) ? 8 : 4;
  m.SetWidth(25 + pointer_bytes * 6 - 1);
  m.Hex(c.start, 8) << "-";
  m.Hex(c.end, 8) << " ";
  m << (c.flags & vm::kRead ? "r" : "-") << (c.flags & vm::kWrite ? "w" : "-")
    << (c.flags & vm::kExec ? "x" : "-")
    << (c.flags & vm::kMayShare ? "s" : "p") << " ";
  m.Hex(c.offset, 8) << " ";
  m.Hex(c.dev_major, 2) << ":";
  m.Hex(c.dev_minor, 2) << " ";
  m.Dec(c.ino) << " ";
}

void ShowMapVma(const Kernel& k, SeqFile& m, const Vma& vma) {
  MapColumns columns{
      .start = vma.start.value(), .end = vma.end.value(), .flags = vma.flags};
  if (vma.file) {
    const Inode& inode = k.inodes[k.open_files[vma.file].inode];
    columns.offset = vma.pgoff << kPageShift;
    columns.dev_major = inode.dev_major;
    columns.dev_minor = inode.dev_minor;
    columns.ino = inode.ino;
  }
  ShowMapColumns(k, m, columns);
  if (std::string name = VmaName(k, vma); !name.empty()) {
    m.Pad();
    m << name;
  }
  m << "\n";
}

bool HasGateVma(const Kernel& k, const Mm& mm) {
  return Is64Bit(k) && Is618(k) && mm.exe_file;
}

void ShowGateVma(const Kernel& k, SeqFile& m) {
  ShowMapColumns(k, m,
                 {.start = kVsyscallAddr,
                  .end = kVsyscallAddr + kPageSize,
                  .flags = vm::kExec});
  m.Pad();
  m << "[vsyscall]\n";
}

ErrnoOr<std::string> ProcPidMaps(const Kernel& k, const Task& task) {
  SeqFile m;
  const Mm* mm = MmOf(k, task);
  if (mm == nullptr) return std::string();
  for (Id<Vma> at = mm->mmap; at; at = k.vmas[at].next) {
    ShowMapVma(k, m, k.vmas[at]);
  }
  if (HasGateVma(k, *mm)) ShowGateVma(k, m);
  return m.Take();
}

}  // namespace faultline
