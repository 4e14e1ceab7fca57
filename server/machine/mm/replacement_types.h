// The data of a replacement policy: the frames that a process was given, and
// what the policies remember of the pages in them. Linux has nothing like it;
// the policies are those of the textbooks.
#ifndef FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_TYPES_H_
#define FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_TYPES_H_

#include <cstdint>
#include <map>
#include <vector>

#include "server/machine/trace/event.h"

namespace faultline {

inline constexpr uint32_t kReplacementFramesMax = 4096;

// One frame of the process. Times count the accesses of the process, from 1.
struct ReplacementSlot {
  bool used = false;
  uint64_t vpn = 0;
  uint64_t loaded_at = 0;
  uint64_t used_at = 0;
  uint64_t uses = 0;
  uint64_t queued_at = 0;  // kSecondChance: when it was put at the queue's end
  uint32_t age = 0;        // kAging

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.used, s.vpn, s.loaded_at, s.used_at, s.uses, s.queued_at, s.age);
  }
};

struct Replacement {
  ReplacementPolicy policy = ReplacementPolicy::kNone;
  std::vector<ReplacementSlot> slots;
  std::map<uint64_t, uint32_t> slot_of;  // by virtual page number
  uint64_t accesses = 0;
  uint64_t faults = 0;           // pages brought in
  uint64_t replacements = 0;     // … for which another left
  uint64_t queue_end = 0;        // kSecondChance: the last queued_at
  uint32_t hand = 0;             // kClock
  std::vector<uint64_t> future;  // kOpt: the page of each access

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.policy, s.slots, s.slot_of, s.accesses, s.faults, s.replacements,
       s.queue_end, s.hand, s.future);
  }
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_MM_REPLACEMENT_TYPES_H_
