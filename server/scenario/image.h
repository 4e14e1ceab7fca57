// The bytes of a program that a scenario declares: an ELF file with no code in
// it, as execve and a loader see it.

#ifndef FAULTLINE_SERVER_SCENARIO_IMAGE_H_
#define FAULTLINE_SERVER_SCENARIO_IMAGE_H_

#include <cstdint>
#include <string>

#include "server/scenario/script.h"

namespace faultline::scenario {

struct ImageFile {
  std::string head;  // the headers and the interpreter's name; zeros follow
  uint64_t size_bytes = 0;
};

// For x86-64: text from the start of the file, data from the next page on.
ImageFile BuildImage(const ImageDeclaration& image);

}  // namespace faultline::scenario

#endif  // FAULTLINE_SERVER_SCENARIO_IMAGE_H_
