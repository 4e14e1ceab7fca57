// Builds an AccessMany: many loads and stores in one command.
//
//   client::AccessList accesses;
//   accesses.Store(addr, 7).Load(addr + 4096).Load(table, /*count=*/64, 8);
//   *batch.add_commands() = accesses.CommandOf(/*pid=*/1);

#ifndef FAULTLINE_CLIENT_CPP_ACCESS_LIST_H_
#define FAULTLINE_CLIENT_CPP_ACCESS_LIST_H_

#include <cstddef>
#include <cstdint>

#include "faultline/v1/command.pb.h"

namespace faultline::client {

inline constexpr uint64_t kPageBytes = 4096;

class AccessList {
 public:
  // Each adds one entry: `count` accesses of one byte, `stride` bytes apart.
  AccessList& Load(uint64_t addr, uint64_t count = 1,
                   uint64_t stride = kPageBytes);
  AccessList& Store(uint64_t addr, uint8_t value, uint64_t count = 1,
                    uint64_t stride = kPageBytes);
  AccessList& Fetch(uint64_t addr);

  // Asks for the byte of each access in Outcome.data.
  AccessList& WithData();

  // Entries; a command has at most 65536.
  size_t size() const { return static_cast<size_t>(many_.addr_size()); }

  // The command, in its shortest form: addresses relative to the lowest, and
  // once what all entries share.
  v1::Command CommandOf(uint32_t pid) const;

 private:
  AccessList& Add(v1::AccessKind kind, uint64_t addr, uint8_t value,
                  uint64_t count, uint64_t stride);

  v1::AccessMany many_;  // whole addresses, columns in full
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_ACCESS_LIST_H_
