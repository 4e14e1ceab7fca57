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
  std::vector<Event> events;

  // Everything, events included.
  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& s) {
    ar(s.value, s.error, s.signal, s.exited, s.no_process, s.min_flt, s.maj_flt,
       s.accesses, s.cost_ns, s.data, s.faulted, s.events);
  }

  // A 64-bit hash of everything but the events, whose number depends on the
  // level that a client asked for.
  uint64_t Digest() const;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_OUTCOME_H_
