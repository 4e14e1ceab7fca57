// A naive Linux: for each process a map from page to what the page is. It has
// no VMAs, page tables, frames, faults or counters, and so says nothing of
// them; it says which calls succeed, what they leave mapped, and what every
// byte reads. Written to be obviously right and compared with the machine.
//
// One byte stands for a page: accesses are at its start.
#ifndef FAULTLINE_TESTS_MODEL_MODEL_H_
#define FAULTLINE_TESTS_MODEL_MODEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "server/machine/command.h"
#include "server/machine/outcome.h"

namespace faultline::model {

// What pages of one file, or of one piece of shared memory, hold. Beyond the
// end of the vector an access is SIGBUS.
struct Object {
  std::vector<uint8_t> bytes{};
  bool writable = true;  // through the descriptor that maps it
  bool file = false;
};

struct PageState {
  uint64_t prot = 0;
  bool shared = false;
  bool locked = false;
  bool dont_fork = false;
  bool wipe_on_fork = false;
  int object = -1;  // of Model::objects; -1: private and anonymous
  uint64_t index = 0;
  std::optional<uint8_t> own{};  // the private copy
};

struct Process {
  std::map<uint64_t, PageState> pages{};  // by address >> 12
  uint64_t brk = 0;
};

// What must come of a command.
struct Expected {
  Errno error = Errno::kOk;
  int signal = 0;
  int code = 0;
  uint64_t signal_addr = 0;
  std::optional<int64_t> value{};  // nothing: anything
};

class Model {
 public:
  // Process 1, without a page. `files` are the descriptors 3, 4, …
  Model(uint64_t start_brk, std::vector<Object> files);

  // False for what it does not model; such a command is not to be done.
  bool Knows(const Command& command) const;
  // Does it. `outcome` is the machine's: an address that the kernel chooses
  // and a child's pid are taken from there. REQUIRES: Knows(command).
  Expected Apply(const Command& command, const Outcome& outcome);

  // What an access of one byte comes to; changes nothing.
  Expected Look(Pid pid, AccessKind kind, uint64_t addr) const;
  const std::map<Pid, Process>& processes() const { return processes_; }
  const Object& object(int number) const { return objects_[number]; }

 private:
  using Pages = std::map<uint64_t, PageState>;
  struct Span {
    uint64_t first = 0;
    uint64_t end = 0;
  };
  static Span SpanOf(uint64_t addr, uint64_t length);

  bool Known(const Mmap& call, const Process& p) const;
  bool Known(const Mremap& call, const Process& p) const;

  Expected Do(const Mmap& call, Process& p, const Outcome& outcome);
  Expected Do(const Munmap& call, Process& p, const Outcome& outcome);
  Expected Do(const Mprotect& call, Process& p, const Outcome& outcome);
  Expected Do(const Mremap& call, Process& p, const Outcome& outcome);
  Expected Do(const Brk& call, Process& p, const Outcome& outcome);
  Expected Do(const Madvise& call, Process& p, const Outcome& outcome);
  Expected Do(const Mlock& call, Process& p, const Outcome& outcome);
  Expected Do(const Munlock& call, Process& p, const Outcome& outcome);
  Expected Do(const Mbind& call, Process& p, const Outcome& outcome);
  Expected Do(const Access& call, Process& p, const Outcome& outcome);
  Expected Do(const Truncate& call, Process& p, const Outcome& outcome);
  Expected Do(const Write& call, Process& p, const Outcome& outcome);
  Expected Do(const Fork& call, Process& p, const Outcome& outcome);

  Expected Move(const Mremap& call, Process& p);
  // Resizes one page in place.
  Expected Grow(const Mremap& call, Process& p);
  Errno Advise(int32_t advice, PageState& page);
  Expected LookAt(const Pages& pages, AccessKind kind, uint64_t addr) const;
  uint8_t ByteOf(const PageState& page) const;
  bool BeyondEnd(const PageState& page) const;
  // What a fault on it does, as populating does; false: it cannot be.
  bool Populate(PageState& page) const;

  std::vector<Object> objects_;
  std::map<Pid, Process> processes_;
  uint64_t start_brk_;
};

}  // namespace faultline::model

#endif  // FAULTLINE_TESTS_MODEL_MODEL_H_
