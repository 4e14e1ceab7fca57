// What a machine answers to a Command. A pure function of the machine before
// and the command, so its digest is what replay compares.
#ifndef FAULTLINE_SERVER_MACHINE_OUTCOME_H_
#define FAULTLINE_SERVER_MACHINE_OUTCOME_H_

#include <cstdint>
#include <string>
#include <vector>

#include "server/machine/base/errno.h"
#include "server/machine/command.h"
#include "server/machine/trace/event.h"

namespace faultline {

// A signal that the operation raised in its process.
struct SignalInfo {
  int32_t signal = 0;  // 0: none
  int32_t code = 0;   // si_code: SEGV_MAPERR 1, SEGV_ACCERR 2, BUS_ADRERR 2 …
  uint64_t addr = 0;  // si_addr

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.signal, s.code, s.addr);
  }
};

// One frame of a process that has a replacement policy.
struct ReplacementFrame {
  uint32_t slot = 0;
  uint64_t addr = 0;  // the page that it holds
  uint32_t pfn = 0;
  bool accessed = false;
  bool dirty = false;
  uint64_t loaded_at = 0;  // which access brought it in, from 1
  uint64_t used_at = 0;    // which was its last
  uint64_t uses = 0;
  uint32_t age = 0;  // kAging: its counter

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.slot, s.addr, s.pfn, s.accessed, s.dirty, s.loaded_at, s.used_at,
       s.uses, s.age);
  }
};

// An access needs a frame, and the client is to choose (kClient).
struct VictimWanted {
  uint64_t address = 0;
  std::vector<ReplacementFrame> frames;  // empty: no victim is wanted

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.address, s.frames);
  }
};

// An entry of an AccessMany that faulted, and how often.
struct EntryFaults {
  uint32_t entry = 0;
  uint32_t min_flt = 0;
  uint32_t maj_flt = 0;
};

struct Outcome {
  // The call's return value; an access: the byte read last. With an errno it
  // is the negative errno, as the system call returns it.
  int64_t value = 0;
  Errno error = Errno::kOk;
  SignalInfo signal;
  // True when the operation ended the process (exit, a fatal signal, OOM).
  bool exited = false;
  // No such process, or one that has exited: nothing was done.
  bool no_process = false;
  // Page faults that the operation took, as min_flt and maj_flt count them.
  uint64_t min_flt = 0;
  uint64_t maj_flt = 0;
  // Accesses done before the end or the signal (Access and AccessMany).
  uint64_t accesses = 0;
  // The cost of the operation in simulated nanoseconds.
  uint64_t cost_ns = 0;
  std::string data;  // read, mincore, wait; AccessMany if asked for
  std::vector<EntryFaults> faulted;  // AccessMany; by entry, ascending
  // KernelAccess: what the TLB had not, and the entries loaded in its place.
  uint64_t tlb_misses = 0;
  uint64_t table_loads = 0;
  VictimWanted victim_wanted;
  std::vector<Event> events;

  // Everything, events included.
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.value, s.error, s.signal, s.exited, s.no_process, s.min_flt, s.maj_flt,
       s.accesses, s.cost_ns, s.data, s.faulted, s.tlb_misses, s.table_loads,
       s.victim_wanted, s.events);
  }

  // A 64-bit hash of everything but the events, whose number depends on the
  // level that a client asked for.
  uint64_t Digest() const;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_OUTCOME_H_
