// The simulated program's allocator against the C library of this system: the
// same sequence of calls must give the same addresses in the heap, the same
// sizes, the same break and the same page faults.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "server/machine/machine.h"
#include "tests/native/malloc/malloc_damage.h"
#include "tests/native/malloc/malloc_ops.h"

namespace faultline::native {
namespace {

constexpr int kOps = 6000;
constexpr uint64_t kIsMmapped = 2;

// Runs malloc_program; its output goes to `read`.
template <class Read>
int RunProgram(const std::string& arguments, Read read) {
  const char* bin = std::getenv("FAULTLINE_BIN");
  // exec, so that no shell adds a word about a program that aborts.
  const std::string command = std::string("exec ") +
                              (bin == nullptr ? "build/dev/bin" : bin) +
                              "/recorded/malloc_program " + arguments;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return -1;
  read(pipe);
  return pclose(pipe);
}

// What the real program did; empty when it could not run.
std::vector<MallocRecord> Recorded(uint64_t seed) {
  std::vector<MallocRecord> records(kOps);
  size_t got = 0;
  const int status = RunProgram(
      std::to_string(seed) + " " + std::to_string(kOps), [&](std::FILE* pipe) {
        got = std::fread(records.data(), sizeof(MallocRecord), records.size(),
                         pipe);
      });
  if (status != 0 || got != records.size()) records.clear();
  return records;
}

// What it says when it damages its heap.
std::string Message(int damage) {
  std::string text;
  RunProgram(std::to_string(damage) + " 2>&1", [&](std::FILE* pipe) {
    char part[256];
    size_t got;
    while ((got = std::fread(part, 1, sizeof part, pipe)) > 0) {
      text.append(part, got);
    }
  });
  return text;
}

// Why this system cannot be asked; "": it can.
std::string NotAsked() {
  char version[32] = "no glibc";
  confstr(_CS_GNU_LIBC_VERSION, version, sizeof version);
  if (std::strcmp(version, "glibc 2.36") == 0) return "";
  return std::string("this system has ") + version + "; the model is of 2.36";
}

// The same on a machine.
class Simulated {
 public:
  Simulated() : start_(mm().start_brk.value()) {}

  MallocRecord Perform(const MallocOp& op) {
    uint64_t& mem = slots_[op.slot];
    Outcome out;
    switch (op.kind) {
      case MallocOp::kMalloc:
        out = Do(Malloc{op.size});
        break;
      case MallocOp::kCalloc:
        out = Do(Calloc{1, op.size});
        break;
      case MallocOp::kRealloc:
        out = Do(Realloc{mem, op.size});
        break;
      case MallocOp::kFree:
        out = Do(Free{mem});
        break;
      case MallocOp::kStore:
        out = Do(Access{AccessKind::kWrite, mem + op.offset, 1, 4096, 1});
        break;
    }
    EXPECT_EQ(out.error, Errno::kOk);
    EXPECT_EQ(out.signal.signal, 0) << out.data;
    if (op.kind == MallocOp::kFree) mem = 0;
    if (op.kind < MallocOp::kFree) mem = static_cast<uint64_t>(out.value);
    MallocRecord record;
    record.min_flt = out.min_flt;
    record.brk = mm().brk.value() - start_;
    if (mem != 0) {
      record.mem = mem - start_;
      record.size_word = Word(mem - 8);
    }
    return record;
  }
  const Machine& machine() const { return machine_; }

 private:
  Outcome Do(Operation op) {
    return machine_.Apply({1, std::move(op)}, EventLevel::kNone);
  }
  const Mm& mm() const {
    const Kernel& k = machine_.kernel();
    return k.mms[k.tasks[k.pids.at(1)].mm];
  }
  uint64_t Word(uint64_t addr) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) {
      const Outcome out = Do(Access{AccessKind::kRead, addr + i, 1, 4096, 0});
      word |= (static_cast<uint64_t>(out.value) & 0xff) << (8 * i);
    }
    return word;
  }

  Machine machine_{MachineConfig{}};
  uint64_t start_;
  uint64_t slots_[kMallocSlots] = {};
};

const char* NameOf(MallocOp::Kind kind) {
  constexpr const char* kNames[] = {"malloc", "calloc", "realloc", "free",
                                    "store"};
  return kNames[kind];
}

// A mapping's address is the kernel's choice, which others test.
uint64_t Place(const MallocRecord& record) {
  return record.size_word & kIsMmapped ? record.mem & 0xfff : record.mem;
}

class MallocSequences : public testing::TestWithParam<uint64_t> {};

TEST_P(MallocSequences, GivesTheSameAddressesBreakAndFaults) {
  if (const std::string why = NotAsked(); !why.empty()) GTEST_SKIP() << why;
  const std::vector<MallocRecord> real = Recorded(GetParam());
  ASSERT_FALSE(real.empty()) << "malloc_program did not run";
  MallocOps ops(GetParam());
  Simulated ours;
  for (int i = 0; i < kOps; i++) {
    const MallocOp op = ops.Next();
    const MallocRecord record = ours.Perform(op);
    const std::string at = "op " + std::to_string(i) + ": " + NameOf(op.kind) +
                           " " + std::to_string(op.size) + ", slot " +
                           std::to_string(op.slot);
    ASSERT_EQ(record.size_word, real[i].size_word) << at;
    ASSERT_EQ(Place(record), Place(real[i])) << at;
    ASSERT_EQ(record.brk, real[i].brk) << at;
    ASSERT_EQ(record.min_flt, real[i].min_flt) << at;
  }
  EXPECT_EQ(ours.machine().Verify(), "");
}

// What the simulated program says: the same steps on a machine.
std::string SimulatedMessage(const DamageCase& damage) {
  Machine machine{MachineConfig{}};
  uint64_t slots[24] = {};
  for (const DamageStep& step : damage.steps) {
    const uint64_t mem = slots[step.slot];
    const uint64_t at = mem + static_cast<uint64_t>(step.offset);
    auto apply = [&](Operation op) {
      return machine.Apply({1, std::move(op)}, EventLevel::kNone);
    };
    auto poke = [&](uint64_t addr, uint64_t byte) {
      return apply(
          Access{AccessKind::kWrite, addr, 1, 1, static_cast<uint8_t>(byte)});
    };
    Outcome out;
    switch (step.kind) {
      case DamageStep::kEnd:
        return "";
      case DamageStep::kNew:
        out = apply(Malloc{step.value});
        slots[step.slot] = static_cast<uint64_t>(out.value);
        break;
      case DamageStep::kFree:
        out = apply(Free{at});
        break;
      case DamageStep::kPoke:
        out = poke(at, step.value);
        break;
      case DamageStep::kLink:
        for (int i = 0; i < 8; i++) {
          const uint64_t link = mem >> 12 ^ (slots[step.value] - 16);
          out = poke(mem + static_cast<uint64_t>(i), link >> (8 * i) & 0xff);
        }
        break;
    }
    if (out.exited) return out.data;
  }
  return "";
}

TEST(MallocAgainstGlibc, DamageIsFoundWithTheSameMessage) {
  if (const std::string why = NotAsked(); !why.empty()) GTEST_SKIP() << why;
  for (int i = 0; i < kDamageCaseCount; i++) {
    const std::string real = Message(i);
    EXPECT_NE(real, "") << kDamageCases[i].name;
    EXPECT_EQ(SimulatedMessage(kDamageCases[i]), real) << kDamageCases[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MallocSequences,
                         testing::Values(1, 2, 3, 4, 5));

}  // namespace
}  // namespace faultline::native
