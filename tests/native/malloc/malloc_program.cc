// malloc_program SEED OPS: does the sequence on the C library's own heap, and
// writes a MallocRecord for each call. malloc_program CASE: damages the heap.
// Nothing else of it allocates: no streams, no exceptions, no C++ library that
// does.
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>

#include "tests/native/malloc/malloc_damage.h"
#include "tests/native/malloc/malloc_ops.h"

namespace {

using faultline::native::kMallocSlots;
using faultline::native::MallocOp;
using faultline::native::MallocOps;
using faultline::native::MallocRecord;

constexpr int kRecordsPerWrite = 512;
MallocRecord records[kRecordsPerWrite];
unsigned char* slots[kMallocSlots];

uint64_t Address(const void* p) { return reinterpret_cast<uint64_t>(p); }

uint64_t MinorFaults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_minflt);
}

// The compiler is not to know that what malloc gives is never read.
void Perform(const MallocOp& op) {
  unsigned char* volatile mem = slots[op.slot];
  switch (op.kind) {
    case MallocOp::kMalloc:
      mem = static_cast<unsigned char*>(malloc(op.size));
      break;
    case MallocOp::kCalloc:
      mem = static_cast<unsigned char*>(calloc(1, op.size));
      break;
    case MallocOp::kRealloc:
      mem = static_cast<unsigned char*>(realloc(mem, op.size));
      break;
    case MallocOp::kFree:
      free(mem);
      mem = nullptr;
      break;
    case MallocOp::kStore:
      *const_cast<volatile unsigned char*>(mem + op.offset) = 1;
      break;
  }
  slots[op.slot] = mem;
}

bool Flush(int count) {
  const char* at = reinterpret_cast<const char*>(records);
  auto left = static_cast<size_t>(count) * sizeof(MallocRecord);
  while (left > 0) {
    const ssize_t n = write(STDOUT_FILENO, at, left);
    if (n <= 0) return false;
    at += n;
    left -= static_cast<size_t>(n);
  }
  return true;
}

// Ends with the C library's message and SIGABRT; 0 when it finds nothing.
int Damage(const faultline::native::DamageCase& damage) {
  using faultline::native::DamageStep;
  for (const DamageStep& step : damage.steps) {
    unsigned char* volatile mem = slots[step.slot];
    switch (step.kind) {
      case DamageStep::kEnd:
        return 0;
      case DamageStep::kNew:
        slots[step.slot] = static_cast<unsigned char*>(malloc(step.value));
        break;
      case DamageStep::kFree:
        free(mem + step.offset);
        break;
      case DamageStep::kPoke:
        const_cast<volatile unsigned char*>(mem)[step.offset] =
            static_cast<unsigned char>(step.value);
        break;
      case DamageStep::kLink:
        *reinterpret_cast<volatile uint64_t*>(mem) =
            (Address(mem) >> 12) ^ (Address(slots[step.value]) - 16);
        break;
    }
  }
  return 0;
}

}  // namespace

// What glibc finds in a damaged list can depend on bits 12 to 15 of the heap's
// address, which its links are mixed with.
void WithoutRandomAddresses(char** argv) {
  const int now = personality(0xffffffff);
  if (now < 0 || (now & ADDR_NO_RANDOMIZE) != 0) return;
  personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE);
  execv("/proc/self/exe", argv);
}

int main(int argc, char** argv) {
  if (argc == 2) {
    WithoutRandomAddresses(argv);
    return Damage(faultline::native::kDamageCases[atoi(argv[1])]);
  }
  if (argc != 3) return 2;
  MallocOps ops(strtoull(argv[1], nullptr, 10));
  const long count = atol(argv[2]);
  // All that is mapped now is there before the heap is: later faults are the
  // heap's. Its pages are small.
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  mlockall(MCL_CURRENT);
  munlockall();
  const uint64_t start = Address(sbrk(0));
  int filled = 0;
  for (long i = 0; i < count; i++) {
    const MallocOp op = ops.Next();
    const uint64_t faults = MinorFaults();
    Perform(op);
    MallocRecord& record = records[filled++];
    record.min_flt = MinorFaults() - faults;
    record.mem = 0;
    record.size_word = 0;
    if (slots[op.slot] != nullptr) {
      record.mem = Address(slots[op.slot]) - start;
      record.size_word = reinterpret_cast<uint64_t*>(slots[op.slot])[-1];
    }
    record.brk = Address(sbrk(0)) - start;
    if (filled == kRecordsPerWrite) {
      if (!Flush(filled)) return 1;
      filled = 0;
    }
  }
  return Flush(filled) ? 0 : 1;
}
