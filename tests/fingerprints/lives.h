// Random lives of machines, each told in two numbers: what all its commands
// came to, and what it is at the end. Whoever compiles the machine, and
// however, the numbers are the same.
#ifndef FAULTLINE_TESTS_FINGERPRINTS_LIVES_H_
#define FAULTLINE_TESTS_FINGERPRINTS_LIVES_H_

#include <cstdint>
#include <string>

namespace faultline {

struct Life {
  uint64_t outcomes = 0;  // of every command, events included
  uint64_t state = 0;     // Machine::Fingerprint() at the end
};

// The machine that has this seed; its configuration depends on it as well.
Life LiveOf(uint64_t seed, int commands);

// "SEED OUTCOMES STATE" for each, in hexadecimal, a line each.
std::string LivesText(uint64_t first, uint64_t last, int commands);

}  // namespace faultline

#endif  // FAULTLINE_TESTS_FINGERPRINTS_LIVES_H_
