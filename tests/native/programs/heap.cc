// Built twice, as a static program at a fixed address and as a static PIE:
// grows and shrinks the heap, maps more than 2 MiB, moves a mapping.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void Require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::exit(1);
}

}  // namespace

int main() {
  constexpr size_t kPage = 4096;
  constexpr size_t kLarge = size_t{5} << 20;
  char* const block = static_cast<char*>(std::malloc(60'000));
  Require(block != nullptr, "malloc");
  std::memset(block, 1, 60'000);
  Require(sbrk(20 * kPage) != nullptr, "sbrk");
  Require(sbrk(-10 * static_cast<intptr_t>(kPage)) != nullptr, "sbrk");
  void* const large = mmap(nullptr, kLarge, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Require(large != MAP_FAILED, "mmap");
  void* const moved = mremap(large, kLarge, 2 * kLarge, MREMAP_MAYMOVE);
  Require(moved != MAP_FAILED, "mremap");
  Require(munmap(static_cast<char*>(moved) + kPage, kPage) == 0, "munmap");
  void* const low = mmap(reinterpret_cast<void*>(0x10000000), kPage, PROT_READ,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Require(low != MAP_FAILED, "mmap at a hint");
  return 0;
}
