// The machine's only source of chance: SplitMix64 (Steele, Lea, Flood 2014),
// one generator per machine, part of its state.
#ifndef FAULTLINE_SERVER_MACHINE_BASE_PRNG_H_
#define FAULTLINE_SERVER_MACHINE_BASE_PRNG_H_

#include <cstdint>

namespace faultline {

class Prng {
 public:
  explicit Prng(uint64_t seed = 0) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  template <class Ar, class Self>
  static void Describe(Ar& ar, Self& self) {
    ar(self.state_);
  }

 private:
  uint64_t state_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_BASE_PRNG_H_
