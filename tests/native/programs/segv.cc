// Dies of SIGSEGV: reads back a page, makes it read-only, and writes to it.

#include <sys/mman.h>

#include <cstdio>

int main() {
  constexpr size_t kLength = 3 * 4096;
  void* const address = mmap(nullptr, kLength, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  volatile char* const bytes = static_cast<char*>(address);
  bytes[0] = 1;
  bytes[4096] = 2;
  if (mprotect(address, 4096, PROT_READ) != 0) {
    std::perror("mprotect");
    return 1;
  }
  bytes[bytes[0] - 1] = 3;
  return 0;
}
