// A client that drives a session with one unary call after the other, and times
// them.

#ifndef FAULTLINE_TESTS_BENCH_DRIVER_H_
#define FAULTLINE_TESTS_BENCH_DRIVER_H_

#include <cstdint>
#include <utility>

#include "client/cpp/session.h"

namespace faultline::bench {

class Driver {
 public:
  // A session whose first process is there.
  explicit Driver(client::Session session) : session_(std::move(session)) {}

  void Map(uint64_t pages);
  // Writes two bytes into each page, where and which as `seed` says: no page
  // is as another one, nor as it was with another seed.
  void FillWithContents(uint64_t seed);
  void Unmap();

  // Each of these is one call that must succeed. They return what it took, in
  // nanoseconds.
  double StoreTo(uint64_t page);
  // Maps fresh pages, stores to each of them with a call of its own, and unmaps
  // them: pages + 2 calls.
  double FaultInOneByOne(uint64_t pages);

  client::Session& session() { return session_; }

 private:
  client::Session session_;
  uint64_t addr_ = 0;
  uint64_t pages_ = 0;
};

}  // namespace faultline::bench

#endif  // FAULTLINE_TESTS_BENCH_DRIVER_H_
