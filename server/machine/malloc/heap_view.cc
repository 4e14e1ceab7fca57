#include "server/machine/malloc/heap_view.h"

#include <cstdio>

#include "server/machine/malloc/chunk.h"
#include "server/machine/malloc/heap_memory.h"
#include "server/machine/malloc/ptmalloc.h"
#include "server/machine/mm/pgtable.h"

namespace faultline {

using namespace malloc;  // the words of a chunk

HeapWalk::HeapWalk(const Kernel& k, const Mm& mm, uint64_t from)
    : k_(k), mm_(mm), heap_(k.heaps[mm.heap]) {
  ReadLists();
  const auto& segments = heap_.segments;
  if (!segments.empty()) at_ = segments.front();
  if (from == 0) return;
  at_ = 0;
  for (size_t i = 0; i < heap_.mmapped.size(); i++) {
    if (MemOf(heap_.mmapped[i]) != from) continue;
    mapped_ = i;
    return;
  }
  at_ = ChunkOf(from);
  // The segment that begins last at or before the chunk in the heap's order.
  for (size_t i = 0; i < segments.size(); i++) {
    if (segments[i] <= at_) segment_ = i;
  }
}

// A word, without a fault: a page that is not there holds zeros.
std::optional<uint64_t> HeapWalk::Load(uint64_t addr) const {
  if (addr >= mm_.task_size || (addr & 7) != 0) return std::nullopt;
  PteRef ref = FindPte(k_, mm_, VirtAddr(addr));
  const Pte pte = ref.ok() ? ReadPte(k_, ref) : Pte();
  if (!pte.present()) return std::nullopt;
  const PageBytes& page = k_.frames[pte.pfn()];
  uint64_t value = 0;
  for (uint32_t i = 0; i < 8; i++) {
    const auto offset = static_cast<uint32_t>(addr & ~kPageMask) + i;
    value |= uint64_t{page.Read(offset)} << (8 * i);
  }
  return value;
}

// A singly linked list with mangled links: of user memory, or of chunks.
void HeapWalk::ReadList(uint64_t first, bool from_mem, ChunkState state,
                        uint32_t bin) {
  const uint64_t link_at = from_mem ? 0 : kFdAt;
  for (uint64_t at = first; at != 0;) {
    if (!listed_.insert({from_mem ? ChunkOf(at) : at, {state, bin}}).second) {
      return;  // a circle
    }
    const auto link = Load(at + link_at);
    if (!link) return;
    at = Mangle(at + link_at, *link);
  }
}

void HeapWalk::ReadLists() {
  for (uint32_t i = 0; i < kTcacheBins && heap_.tcache != 0; i++) {
    const auto first = Load(heap_.tcache + kTcacheEntriesAt + uint64_t{8} * i);
    if (first) ReadList(*first, true, ChunkState::kTcache, i);
  }
  for (uint32_t i = 0; i < kNfastbins; i++) {
    ReadList(heap_.fastbins[i], false, ChunkState::kFastbin, i);
  }
  // The unsorted list hangs on the arena's words by plain pointers.
  for (uint64_t p = heap_.words[2]; p < kArena && p != 0;) {
    if (!listed_.insert({p, {ChunkState::kUnsorted, 1}}).second) return;
    p = Load(p + kFdAt).value_or(0);
  }
}

uint64_t HeapWalk::TopSize() const {
  return Load(heap_.words[0] + kSizeAt).value_or(0) & ~kSizeBits;
}

void HeapWalk::Stop(const char* what, uint64_t at) {
  char text[128];
  std::snprintf(text, sizeof text, "%s at 0x%llx", what,
                static_cast<unsigned long long>(at));
  problem_ = text;
  at_ = 0;
}

std::optional<ChunkView> HeapWalk::Next() {
  if (at_ != 0) {
    if (auto chunk = NextOfHeap()) return chunk;
  }
  return NextMapped();
}

std::optional<ChunkView> HeapWalk::NextMapped() {
  if (mapped_ == heap_.mmapped.size()) return std::nullopt;
  const uint64_t p = heap_.mmapped[mapped_++];
  const uint64_t word = Load(p + kSizeAt).value_or(0);
  return ChunkView{MemOf(p), word & ~kSizeBits, ChunkState::kMmapped, 0};
}

std::optional<ChunkView> HeapWalk::NextOfHeap() {
  const uint64_t p = at_;
  const auto word = Load(p + kSizeAt);
  if (!word) {
    Stop("a chunk's size is not in memory", p);
    return std::nullopt;
  }
  ChunkView chunk{.mem = MemOf(p), .size = *word & ~kSizeBits};
  if (p == heap_.words[0]) {
    chunk.state = ChunkState::kTop;
    at_ = 0;
    return chunk;
  }
  if (chunk.size == kHeaderBytes) {
    // Two of them end a segment.
    chunk.state = ChunkState::kFence;
    const bool second = (Load(p - kHeaderBytes + kSizeAt).value_or(0) &
                         ~kSizeBits) == kHeaderBytes;
    at_ = p + chunk.size;
    if (second) {
      segment_++;
      at_ = segment_ < heap_.segments.size() ? heap_.segments[segment_] : 0;
    }
    return chunk;
  }
  if (chunk.size < kMinSize || Misaligned(chunk.size) ||
      chunk.size > heap_.system_mem) {
    Stop("a chunk has an impossible size", p);
    return std::nullopt;
  }
  Classify(p, &chunk);
  at_ = p + chunk.size;
  return chunk;
}

void HeapWalk::Classify(uint64_t p, ChunkView* chunk) {
  if (auto it = listed_.find(p); it != listed_.end()) {
    chunk->state = it->second.state;
    chunk->bin = it->second.bin;
    return;
  }
  const uint64_t next = Load(p + chunk->size + kSizeAt).value_or(kPrevInuse);
  if (next & kPrevInuse) return;
  chunk->state = IsSmall(chunk->size) ? ChunkState::kSmall : ChunkState::kLarge;
  chunk->bin = static_cast<uint32_t>(BinIndex(chunk->size));
}

}  // namespace faultline
