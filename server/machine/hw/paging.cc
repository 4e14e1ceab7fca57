#include "server/machine/hw/paging.h"

#include <cstring>

namespace faultline {
namespace {

constexpr size_t kNarrowBytes = sizeof(uint32_t);

}  // namespace

Pte LoadNarrowPte(const uint64_t* table, int index) {
  uint32_t entry;
  std::memcpy(&entry,
              reinterpret_cast<const char*>(table) +
                  static_cast<size_t>(index) * kNarrowBytes,
              kNarrowBytes);
  return Pte::FromNarrow(entry);
}

void StoreNarrowPte(uint64_t* table, int index, Pte pte) {
  const uint32_t entry = pte.Narrow();
  std::memcpy(reinterpret_cast<char*>(table) +
                  static_cast<size_t>(index) * kNarrowBytes,
              &entry, kNarrowBytes);
}

}  // namespace faultline
