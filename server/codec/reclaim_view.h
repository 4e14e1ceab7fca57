// What InspectService shows of reclaim: the LRU lists and the swap areas.
#ifndef FAULTLINE_SERVER_CODEC_RECLAIM_VIEW_H_
#define FAULTLINE_SERVER_CODEC_RECLAIM_VIEW_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "faultline/v1/reclaim.pb.h"
#include "server/machine/kernel.h"

namespace faultline {

// The list of that name: "inactive_anon" …
std::optional<Lru> LruOfName(absl::string_view name);
// The sizes of all lists, and what reclaim is decided by.
void LruToProto(const Kernel& k, v1::GetLruResponse* proto);
void LruPageToProto(const Kernel& k, Pfn pfn, v1::LruPage* proto);

void SwapsToProto(const Kernel& k, v1::ListSwapsResponse* proto);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_CODEC_RECLAIM_VIEW_H_
