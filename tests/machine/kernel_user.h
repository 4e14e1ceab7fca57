// A part of the kernel that takes memory of every kind at random and gives all
// of it back: kmalloc(), vmalloc(), slab caches, pages, pages of high memory
// that it has mapped.
#ifndef FAULTLINE_TESTS_MACHINE_KERNEL_USER_H_
#define FAULTLINE_TESTS_MACHINE_KERNEL_USER_H_

#include <array>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "server/machine/base/prng.h"
#include "server/machine/machine.h"

namespace faultline {

// What a machine has free when nothing waits on per-CPU lists: the runs
// [first, end) of frames that nothing interrupts.
std::vector<std::pair<uint32_t, uint32_t>> FreeRunsDrained(const Kernel& k);

// A machine that has the page tables of the first 128 MiB of its vmalloc area,
// which stay for ever once they are made.
Machine WithVmallocTables(const Machine& m);

class KernelUser {
 public:
  // REQUIRES: the machine outlives it.
  KernelUser(Machine* machine, uint64_t seed);

  // Called behind each of its operations.
  void set_after(std::function<void(const Operation&)> after) {
    after_ = std::move(after);
  }
  void CreateCaches();
  // Takes something, or gives it back. Memory may run out, and nothing else.
  void TakeOrGive(bool take);
  // One access to something that it has, or a call that may not change
  // anything.
  void Touch();
  // Everything is given back, the caches too.
  void GiveAll();

  // How often there was no memory.
  int failures() const { return failures_; }

 private:
  static constexpr std::array kCaches = {"small", "large", "guarded",
                                         "reclaimed"};
  uint64_t Below(uint64_t n) { return prng_.Next() % n; }
  // Small sizes mostly.
  uint64_t SomeSize() { return 1 + Below(uint64_t{16} << Below(12)); }
  uint32_t SomeGfp();
  Outcome Do(Operation op);
  // The value of a call that gives memory; 0: there was none.
  uint64_t Given(Operation op);
  void Succeeds(Operation op);
  void Kmallocs(bool take);
  void Vmallocs(bool take);
  void Objects(bool take);
  void TakesPages(bool take);
  void Addresses(bool take);
  void Kmaps(bool take);
  void TouchLocally();

  Machine* machine_;
  Prng prng_;
  std::function<void(const Operation&)> after_;
  std::vector<uint64_t> kmalloced_, vmalloced_;
  std::array<std::vector<uint64_t>, kCaches.size()> objects_;
  std::vector<struct FreePages> pages_;  // what frees each
  std::vector<FreeAddress> addresses_;
  std::vector<uint64_t> kmapped_;  // frames
  int failures_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_TESTS_MACHINE_KERNEL_USER_H_
