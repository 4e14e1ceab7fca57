// SeqFile: the text of one /proc file in the making. Models fs/seq_file.c
// (v6.18): seq_printf(), seq_put_decimal_ull_width(), seq_put_hex_ll(),
// seq_setwidth(), seq_pad().
#ifndef FAULTLINE_SERVER_MACHINE_PROC_SEQ_FILE_H_
#define FAULTLINE_SERVER_MACHINE_PROC_SEQ_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace faultline {

class SeqFile {
 public:
  SeqFile& operator<<(std::string_view text) {
    out_.append(text);
    return *this;
  }
  [[gnu::format(printf, 2, 3)]] void Printf(const char* format, ...);
  // Padded on the left with spaces, or with zeros for Hex.
  SeqFile& Dec(uint64_t value, int width = 0);
  SeqFile& Hex(uint64_t value, int width = 0);
  // "label" with `kb` right-aligned behind it and " kB\n".
  void Kilobytes(std::string_view label, uint64_t kb, int width = 8) {
    (*this << label).Dec(kb, width) << " kB\n";
  }

  // seq_setwidth(): the line that starts here is to be padded to `columns`.
  void SetWidth(size_t columns) { pad_until_ = out_.size() + columns; }
  // seq_pad(): spaces up to there, and one more.
  void Pad() {
    if (out_.size() < pad_until_) out_.append(pad_until_ - out_.size(), ' ');
    out_.push_back(' ');
  }

  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
  size_t pad_until_ = 0;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_PROC_SEQ_FILE_H_
