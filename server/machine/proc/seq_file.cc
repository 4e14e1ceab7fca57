#include "server/machine/proc/seq_file.h"

#include <cstdarg>
#include <cstdio>

namespace faultline {

void SeqFile::Printf(const char* format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  char small[256];
  int n = std::vsnprintf(small, sizeof small, format, args);
  va_end(args);
  if (n >= 0 && static_cast<size_t>(n) < sizeof small) {
    out_.append(small, static_cast<size_t>(n));
  } else if (n >= 0) {
    size_t at = out_.size();
    out_.resize(at + static_cast<size_t>(n) + 1);
    std::vsnprintf(&out_[at], static_cast<size_t>(n) + 1, format, again);
    out_.pop_back();
  }
  va_end(again);
}

SeqFile& SeqFile::Dec(uint64_t value, int width) {
  std::string digits = std::to_string(value);
  if (static_cast<size_t>(width) > digits.size()) {
    out_.append(static_cast<size_t>(width) - digits.size(), ' ');
  }
  out_ += digits;
  return *this;
}

SeqFile& SeqFile::Hex(uint64_t value, int width) {
  char digits[16];
  int n = 0;
  do {
    digits[15 - n++] = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  if (width > n) out_.append(static_cast<size_t>(width - n), '0');
  out_.append(digits + 16 - n, static_cast<size_t>(n));
  return *this;
}

}  // namespace faultline
