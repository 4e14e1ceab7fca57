#include "client/cli/layout.h"

#include <algorithm>

namespace faultline::cli {
namespace {

// arch/x86/include/asm/elf.h: ELF_ET_DYN_BASE is two thirds of TASK_SIZE, and
// mmap_base with its random part stays in the top 1/128. What lies between is
// a position-independent executable and its heap; what lies below is not moved.
constexpr uint64_t kDynamicLow = 0x500000000000;
constexpr uint64_t kMappingsLow = 0x700000000000;
constexpr uint64_t kPageSize = 4096;

int64_t Distance(uint64_t real, uint64_t ours) {
  return static_cast<int64_t>(real - ours);
}

}  // namespace

void Layout::LearnBreak(uint64_t real, uint64_t ours) {
  heap_ = Distance(real, ours);
  randomised_ = heap_ != 0 && heap_ % static_cast<int64_t>(kPageSize) == 0;
  if (!randomised_) heap_ = 0;
  break_low_ = break_high_ = real;
}

void Layout::SetBreak(uint64_t real) {
  break_high_ = std::max(break_high_, real);
}

void Layout::LearnMapping(uint64_t real, uint64_t ours) {
  if (!randomised_ || mappings_) return;
  mappings_ = Distance(real, ours);
  if (*mappings_ != 0) return;
  // Nothing else was moved, so neither was the break: ours is wrong.
  randomised_ = false;
  heap_ = 0;
}

void Layout::LearnExecutable(uint64_t real, uint64_t ours) {
  executable_ = Distance(real, ours);
}

bool Layout::NeedsExecutable(uint64_t real) const {
  return randomised_ && !executable_ && real >= kDynamicLow &&
         AreaOf(real) == Area::kExecutable;
}

Layout::Area Layout::AreaOf(uint64_t real) const {
  if (real >= kMappingsLow) return Area::kMappings;
  if (break_low_ != 0 && real >= break_low_ &&
      real <= break_high_ + (uint64_t{1} << 32)) {
    return Area::kHeap;
  }
  return Area::kExecutable;
}

uint64_t Layout::ToOurs(uint64_t real) const {
  if (!randomised_ || real == 0) return real;
  int64_t distance = 0;
  switch (AreaOf(real)) {
    case Area::kMappings:
      distance = mappings_.value_or(0);
      break;
    case Area::kHeap:
      distance = heap_;
      break;
    case Area::kExecutable:
      distance = real < kDynamicLow ? 0 : executable_.value_or(0);
      break;
  }
  return real - static_cast<uint64_t>(distance);
}

}  // namespace faultline::cli
