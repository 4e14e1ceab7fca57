// fingerprints [FIRST LAST [COMMANDS]]: the lives of machines by seed, a line
// each. fingerprints.sh compares what different compilers make of it. It uses
// the machine and nothing else, so that it is quickly built.

#include <cstdlib>
#include <iostream>

#include "tests/fingerprints/lives.h"

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  const int first = number(1, 1);
  const int last = number(2, 16);
  const int commands = number(3, 2000);
  if (first <= 0 || last < first || commands <= 0) {
    std::cerr << "usage: fingerprints [FIRST LAST [COMMANDS]], all above 0\n";
    return 2;
  }
  std::cout << faultline::LivesText(static_cast<uint64_t>(first),
                                    static_cast<uint64_t>(last), commands);
}
