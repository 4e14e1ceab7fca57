// How the allocator reaches memory: its loads and stores are those of the
// program, with the faults that they take; what glibc has in its own data is
// reached the same way, at addresses that no program can map.
#ifndef FAULTLINE_SERVER_MACHINE_MALLOC_HEAP_MEMORY_H_
#define FAULTLINE_SERVER_MACHINE_MALLOC_HEAP_MEMORY_H_

#include <cstdint>
#include <string>

#include "server/machine/kernel.h"
#include "server/machine/malloc/malloc_types.h"
#include "server/machine/outcome.h"

namespace faultline::malloc {

// Ends the allocator's work where it stands: an access was signalled.
struct Signalled {
  SignalInfo signal;
};
// malloc_printerr(): the program ends with a message.
struct Aborted {
  std::string message;
};
[[noreturn]] void Abort(const char* message);

// Where main_arena.top would be: above the highest address of a program.
inline constexpr uint64_t kArena = 0x7ffffffff000;
// Loads of one call. A program that loops for ever in the lists of a damaged
// heap is stopped after these, as by a limit of processor time: SIGXCPU.
inline constexpr uint64_t kLoadsMax = 1 << 22;

class HeapMemory {
 public:
  HeapMemory(Kernel& k, MallocState& state) : k_(k), state_(state) {}

  // A word of 8 bytes, or a count of 2. May take a page fault. Throws
  // Signalled.
  uint64_t Load(uint64_t addr, int bytes = 8);
  void Store(uint64_t addr, uint64_t value, int bytes = 8);
  // memset(0) and memcpy(), page by page.
  void Clear(uint64_t addr, uint64_t length);
  void Copy(uint64_t to, uint64_t from, uint64_t length);

 private:
  // The frame of an address after the faults that the access took.
  Pfn Reach(uint64_t addr, MmuAccess access);
  uint64_t* ArenaWord(uint64_t addr);

  Kernel& k_;
  MallocState& state_;
  uint64_t loads_ = 0;
};

}  // namespace faultline::malloc

#endif  // FAULTLINE_SERVER_MACHINE_MALLOC_HEAP_MEMORY_H_
