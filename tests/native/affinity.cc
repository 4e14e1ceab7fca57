#include "tests/native/affinity.h"

#include <sched.h>
#include <sys/mman.h>

namespace faultline::native {

void PinToFirstCpu() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof(one), &one);
    return;
  }
}

// free_pages_and_swap_cache(), at the end of an unmapping that frees a page,
// begins with lru_add_drain().
void DrainFolioBatches() {
  constexpr size_t kBytes = 4096;
  void* page = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (page != MAP_FAILED) munmap(page, kBytes);
}

}  // namespace faultline::native
