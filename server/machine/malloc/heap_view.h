// The chunks of a heap, read from a machine that is only looked at.
#ifndef FAULTLINE_SERVER_MACHINE_MALLOC_HEAP_VIEW_H_
#define FAULTLINE_SERVER_MACHINE_MALLOC_HEAP_VIEW_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "server/machine/kernel.h"
#include "server/machine/malloc/malloc_types.h"

namespace faultline {

// In the order of the enum in heap.proto.
enum class ChunkState : uint8_t {
  kInUse = 1,
  kMmapped = 2,
  kTcache = 3,
  kFastbin = 4,
  kUnsorted = 5,
  kSmall = 6,
  kLarge = 7,
  kTop = 8,
  kFence = 9,
};

struct ChunkView {
  uint64_t mem = 0;  // what malloc returned
  uint64_t size = 0;
  ChunkState state = ChunkState::kInUse;
  uint32_t bin = 0;
};

// From the lowest chunk of the heap to its top, then those with a mapping of
// their own. REQUIRES: mm.heap.
class HeapWalk {
 public:
  // `from`: a chunk's mem that an earlier walk gave, or 0.
  HeapWalk(const Kernel& k, const Mm& mm, uint64_t from);

  // The next chunk; none at the end, or where the heap makes no sense.
  std::optional<ChunkView> Next();
  // Why it ended early; "": it did not.
  const std::string& problem() const { return problem_; }
  // Of the chunk at the end of the heap; 0: none yet.
  uint64_t TopSize() const;

 private:
  std::optional<uint64_t> Load(uint64_t addr) const;
  void ReadLists();
  void ReadList(uint64_t first, bool from_mem, ChunkState state, uint32_t bin);
  std::optional<ChunkView> NextOfHeap();
  std::optional<ChunkView> NextMapped();
  void Classify(uint64_t p, ChunkView* chunk);
  void Stop(const char* what, uint64_t at);

  const Kernel& k_;
  const Mm& mm_;
  const MallocState& heap_;
  struct Listed {
    ChunkState state;
    uint32_t bin;
  };
  std::map<uint64_t, Listed> listed_;  // by chunk: what the bits do not tell
  size_t segment_ = 0;
  uint64_t at_ = 0;  // the next chunk of the heap; 0: the heap is done
  size_t mapped_ = 0;
  std::string problem_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MALLOC_HEAP_VIEW_H_
