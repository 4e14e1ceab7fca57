#include "tests/bench/driver.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "client/cpp/access_list.h"
#include "tests/bench/or_die.h"

namespace faultline::bench {
namespace {

constexpr uint32_t kPid = 1;
constexpr uint64_t kPageBytes = 4096;

double NowNs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::nano>(now).count();
}

}  // namespace

void Driver::Map(uint64_t pages) {
  v1::Mmap mmap;
  mmap.set_length(pages * kPageBytes);
  mmap.set_prot(3);
  mmap.set_flags(0x22);
  addr_ = static_cast<uint64_t>(OrDie(session_.Mmap(kPid, mmap)).value());
  pages_ = pages;
}

void Driver::FillWithContents(uint64_t seed) {
  constexpr uint64_t kPagesPerCommand = 32768;
  std::mt19937_64 random(seed);
  client::CallSettings settings;
  settings.event_level = v1::EVENT_LEVEL_NONE;
  for (uint64_t first = 0; first < pages_; first += kPagesPerCommand) {
    const uint64_t last = std::min(first + kPagesPerCommand, pages_);
    client::AccessList accesses;
    for (uint64_t page = first; page < last; ++page) {
      for (int byte = 0; byte < 2; ++byte) {
        const uint64_t bits = random();
        accesses.Store(addr_ + page * kPageBytes + bits % kPageBytes,
                       static_cast<uint8_t>(bits >> 56));
      }
    }
    const v1::Outcome outcome =
        OrDie(session_.Call(accesses.CommandOf(kPid), settings));
    if (outcome.accesses() != 2 * (last - first))
      Die("a store did not succeed");
  }
}

void Driver::Unmap() {
  Check(session_.Munmap(kPid, addr_, pages_ * kPageBytes).status());
}

double Driver::StoreTo(uint64_t page) {
  const double start = NowNs();
  const v1::Outcome outcome =
      OrDie(session_.Store(kPid, addr_ + page * kPageBytes, 1));
  const double end = NowNs();
  if (outcome.accesses() != 1) Die("a store did not succeed");
  return end - start;
}

double Driver::FaultInOneByOne(uint64_t pages) {
  const double start = NowNs();
  Map(pages);
  for (uint64_t page = 0; page < pages; ++page) StoreTo(page);
  Unmap();
  return NowNs() - start;
}

}  // namespace faultline::bench
