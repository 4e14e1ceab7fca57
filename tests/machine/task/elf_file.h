// Small ELF images made by hand, and a machine that executes them.
#ifndef FAULTLINE_TESTS_MACHINE_TASK_ELF_FILE_H_
#define FAULTLINE_TESTS_MACHINE_TASK_ELF_FILE_H_

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "server/machine/mm/mmap.h"
#include "tests/machine/sim.h"

namespace faultline {

inline constexpr uint64_t kPage = kPageSize;
inline constexpr uint64_t kPieBase = 0x555555554000;

struct Segment {
  uint64_t vaddr, offset, filesz, memsz;
  uint32_t flags;  // R 4, W 2, X 1
  uint64_t align = kPage;
};

// A 64-bit image: headers, then a byte 'A'+k at the start of each page k.
class Elf {
 public:
  explicit Elf(uint16_t type = 3) : type_(type) {}
  Elf& Load(Segment s) {
    segments_.push_back(s);
    return *this;
  }
  Elf& Interpreter(const std::string& path) {
    interp_ = path + '\0';
    return *this;
  }
  // PT_GNU_STACK
  Elf& Stack(uint32_t flags) {
    stack_ = {0, 0, 0, 0, flags, 16};
    return *this;
  }
  std::string Bytes() const {
    std::string b(8 * kPage, '\0');
    for (size_t k = 1; k < 8; k++) b[k * kPage] = static_cast<char>('A' + k);
    b.replace(0, 7,
              "\x7f"
              "ELF\x02\x01\x01");
    Put(b, 16, type_, 2);
    Put(b, 18, 62, 2);
    Put(b, 24, 0x1040, 8);
    Put(b, 32, 64, 8);
    Put(b, 54, 56, 2);
    Put(b, 56, segments_.size() + !interp_.empty() + stack_.has_value(), 2);
    uint64_t at = 64;
    if (!interp_.empty()) {
      constexpr uint64_t kText = 0x800;
      b.replace(kText, interp_.size(), interp_);
      PutPhdr(b, at, 3, {kText, kText, interp_.size(), interp_.size(), 4});
      at += 56;
    }
    for (const Segment& s : segments_) {
      PutPhdr(b, at, 1, s);
      at += 56;
    }
    if (stack_) PutPhdr(b, at, 0x6474e551, *stack_);
    return b;
  }

 private:
  static void Put(std::string& b, uint64_t at, uint64_t v, int n) {
    for (int i = 0; i < n; i++) b[at + i] = static_cast<char>(v >> (8 * i));
  }
  static void PutPhdr(std::string& b, uint64_t at, uint32_t type, Segment s) {
    Put(b, at, type, 4);
    Put(b, at + 4, s.flags, 4);
    Put(b, at + 8, s.offset, 8);
    Put(b, at + 16, s.vaddr, 8);
    Put(b, at + 32, s.filesz, 8);
    Put(b, at + 40, s.memsz, 8);
    Put(b, at + 48, s.align, 8);
  }
  uint16_t type_;
  std::vector<Segment> segments_;
  std::string interp_;
  std::optional<Segment> stack_;
};

// Text, read-only data, and data with 3 pages of bss.
inline Elf Program() {
  return Elf()
      .Load({0, 0, 0x1000, 0x1000, 4})
      .Load({0x1000, 0x1000, 0x1000, 0x1000, 5})
      .Load({0x2000, 0x2000, 0x800, 0x4000, 6});
}
inline Elf Loader() {
  return Elf()
      .Load({0, 0, 0x2000, 0x2000, 5})
      .Load({0x2000, 0x2000, 0x1000, 0x1000, 6});
}

class Exec : public ::testing::Test {
 protected:
  void Install(const std::string& path, const std::string& bytes,
               uint32_t mode = 0755) {
    CreateFile call;
    call.path = path;
    call.size = bytes.size();
    call.content = FileContent::kBytes;
    call.data = bytes;
    call.mode = mode;
    EXPECT_EQ(ResultOf(sim_.Do(call, 0)), "OK");
  }
  std::string Run(const std::string& path,
                  std::vector<std::string> argv = {"prog"}, Pid pid = 1) {
    return ResultOf(sim_.Do(Execve{path, std::move(argv), {"A=1"}}, pid));
  }
  int64_t Byte(uint64_t addr) {
    Outcome out = sim_.Do(Access{AccessKind::kRead, addr, 1, 1, 0});
    EXPECT_EQ(ResultOf(out), "OK");
    return out.value;
  }
  // The mapping at an address: "r-x 2 pages".
  std::string Mapping(uint64_t addr) {
    const Vma& vma = sim_.VmaOf(addr);
    EXPECT_LE(vma.start.value(), addr);
    std::string s;
    s += vma.Has(vm::kRead) ? 'r' : '-';
    s += vma.Has(vm::kWrite) ? 'w' : '-';
    s += vma.Has(vm::kExec) ? 'x' : '-';
    return s + ' ' + std::to_string(vma.pages().value());
  }
  Sim sim_;
};

}  // namespace faultline

#endif  // FAULTLINE_TESTS_MACHINE_TASK_ELF_FILE_H_
