// What InspectService shows of an address space: mm_struct, the tree of VMAs,
// the heap.
#ifndef FAULTLINE_SERVER_CODEC_MM_VIEW_H_
#define FAULTLINE_SERVER_CODEC_MM_VIEW_H_

#include "faultline/v1/heap.pb.h"
#include "faultline/v1/mm_struct.pb.h"
#include "server/machine/kernel.h"
#include "server/machine/malloc/heap_view.h"

namespace faultline {

void MmToProto(const Kernel& k, const Mm& mm, v1::MmStruct* proto);

void VmaTreeToProto(const Kernel& k, const Mm& mm, v1::VmaTree* proto);
void VmaNodeToProto(const Kernel& k, const Vma& vma, v1::VmaNode* proto);

// REQUIRES: mm.heap.
void HeapToProto(const Kernel& k, const Mm& mm, v1::Heap* proto);
void ChunkToProto(const ChunkView& chunk, v1::Chunk* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_MM_VIEW_H_
