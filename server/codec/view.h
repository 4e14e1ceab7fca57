// What InspectService shows of a machine: its kernel's structures as messages.
#ifndef FAULTLINE_SERVER_CODEC_VIEW_H_
#define FAULTLINE_SERVER_CODEC_VIEW_H_

#include <cstdint>
#include <functional>

#include "faultline/v1/inspect.pb.h"
#include "server/machine/kernel.h"

namespace faultline {

// The address space of a process or thread; nullptr when there is no such
// process or it has ended.
const Mm* FindMm(const Kernel& k, Pid pid);

void VmaToProto(const Kernel& k, const Vma& vma, v1::Vma* proto);

// Every entry that the processor would read on its way to `address`.
void WalkToProto(const Kernel& k, const Mm& mm, uint64_t address,
                 v1::WalkPageTableResponse* proto);

// False when no memory is there.
bool PageToProto(const Kernel& k, uint64_t pfn, v1::Page* proto);

// Calls add(name) for each PG_* that is set.
void AddPageFlagNames(const Page& page,
                      const std::function<void(const char*)>& add);

// The zones that have memory, from the lowest addresses up.
void ZonesToProto(const Kernel& k, v1::ListZonesResponse* proto);
void FreeAreasToProto(const Kernel& k, v1::GetFreeAreasResponse* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_VIEW_H_
