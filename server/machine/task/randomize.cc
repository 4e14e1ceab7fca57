// Models arch/x86/mm/mmap.c (v6.18): arch_mmap_rnd(), stack_maxrandom_size();
// arch/x86/kernel/process.c: arch_randomize_brk();
// mm/util.c: randomize_stack_top(), randomize_page().
#include "server/machine/task/randomize.h"

namespace faultline {
namespace {

bool Wide(const Kernel& k) { return k.config.profile == Profile::kX86_64; }
bool Off(const Kernel& k) { return k.sysctl.randomize_va_space == 0; }

// __STACK_RND_MASK, in pages.
uint64_t StackRndMask(const Kernel& k) { return Wide(k) ? 0x3fffff : 0x7ff; }

}  // namespace

uint64_t ArchMmapRnd(Kernel& k) {
  if (Off(k)) return 0;
  const int bits = Wide(k) ? 28 : 8;  // vm.mmap_rnd_bits
  return (k.prng.Next() & ((uint64_t{1} << bits) - 1)) << kPageShift;
}

uint64_t StackMaxrandomSize(const Kernel& k) {
  return Off(k) ? 0 : StackRndMask(k) << kPageShift;
}

VirtAddr RandomizeStackTop(Kernel& k, VirtAddr top) {
  if (Off(k)) return top;
  return top - ((k.prng.Next() & StackRndMask(k)) << kPageShift);
}

VirtAddr ArchRandomizeBrk(Kernel& k, VirtAddr start_brk) {
  if (k.sysctl.randomize_va_space < 2) return start_brk;
  const uint64_t range = Wide(k) ? uint64_t{1} << 30 : uint64_t{32} << 20;
  return start_brk + (k.prng.Next() % (range >> kPageShift) << kPageShift);
}

}  // namespace faultline
