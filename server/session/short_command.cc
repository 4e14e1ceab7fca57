#include "server/session/short_command.h"

#include <cstdint>
#include <variant>

namespace faultline {
namespace {

constexpr uint64_t kPagesMax = 64;
constexpr uint64_t kBytesMax = kPagesMax * 4096;

struct Short {
  bool operator()(const Access& access) const {
    return access.count <= kPagesMax;
  }
  bool operator()(const AccessMany& many) const {
    return AccessesOf(many) <= kPagesMax;
  }
  bool operator()(const Mmap& mmap) const { return mmap.length <= kBytesMax; }
  bool operator()(const Munmap& munmap) const {
    return munmap.length <= kBytesMax;
  }
  bool operator()(const Mprotect& mprotect) const {
    return mprotect.length <= kBytesMax;
  }
  bool operator()(const Read& read) const { return read.length <= kBytesMax; }
  bool operator()(const Write& write) const {
    return write.data.size() <= kBytesMax;
  }
  template <class Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

bool IsShort(const Command& command) { return std::visit(Short(), command.op); }

}  // namespace faultline
