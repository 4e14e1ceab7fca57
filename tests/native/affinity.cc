#include "tests/native/affinity.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

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

// generic_fadvise(): when POSIX_FADV_DONTNEED finds a page that it cannot drop,
// here because it is mapped, it calls lru_add_drain_all() and tries again. Of
// files on tmpfs it does not.
void DrainAllFolioBatches() {
  constexpr size_t kBytes = 4096;
  static const int file = [] {
    const char* dir = std::getenv("TMPDIR");
    std::string path =
        std::string(dir == nullptr ? "/tmp" : dir) + "/faultline-drain-XXXXXX";
    const int fd = mkstemp(path.data());
    if (fd < 0) return fd;
    unlink(path.c_str());
    if (ftruncate(fd, kBytes) == 0) {
      mmap(nullptr, kBytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    }
    return fd;
  }();
  DrainFolioBatches();
  if (file >= 0) posix_fadvise(file, 0, kBytes, POSIX_FADV_DONTNEED);
}

}  // namespace faultline::native
