// What every picture in the terminal is made of: lines of coloured glyphs that
// know how wide they are.

#ifndef FAULTLINE_CLIENT_CLI_PICTURE_H_
#define FAULTLINE_CLIENT_CLI_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace faultline::cli {

// A picture needs this many columns; more than the maximum is no picture.
inline constexpr int kPictureWidthMin = 60;
inline constexpr int kPictureWidthMax = 400;

struct PictureStyle {
  int width = 80;  // kPictureWidthMin to kPictureWidthMax; none is exceeded
  bool unicode = true;  // false: ASCII only
  bool color = false;
};

// The colours, of the palette by Okabe and Ito that people tell apart however
// they see colour. A picture means the same without them.
enum class Paint : uint8_t {
  kPlain,
  kDim,
  kBold,
  kGrey,
  kBlue,
  kGreen,
  kOrange,
  kVermillion,
  kPurple,
};

// The columns that UTF-8 text takes in a terminal.
int ColumnsOf(absl::string_view text);

// Text that a machine or a user chose, fit for a line: control characters, and
// with ASCII all that is not, become "?".
std::string Printable(absl::string_view text, const PictureStyle& style);

// At most `columns` of the text; what is cut off, at the start or at the end,
// becomes an ellipsis.
std::string FitStart(absl::string_view text, int columns,
                     const PictureStyle& style);
std::string FitEnd(absl::string_view text, int columns,
                   const PictureStyle& style);

// "132 KiB", "1.5 GiB": at most one decimal, rounded.
std::string SizeText(uint64_t bytes);

// One line, from left to right. What exceeds the width is cut off.
class PictureLine {
 public:
  explicit PictureLine(const PictureStyle& style) : style_(style) {}

  PictureLine& Add(absl::string_view text, Paint paint = Paint::kPlain);
  // Spaces up to this column; none when the line is there already.
  PictureLine& PadTo(int column);

  int columns() const { return columns_; }
  int left() const { return style_.width - columns_; }
  // The line with its newline, without spaces at the end.
  std::string Take();

 private:
  struct Run {
    std::string text;
    Paint paint = Paint::kPlain;
  };

  PictureStyle style_;
  std::vector<Run> runs_;
  int columns_ = 0;
};

// A glyph and what it stands for.
struct LegendEntry {
  std::string glyph;
  std::string words;
  Paint paint = Paint::kPlain;
};

// The entries in as many lines as they need, each after `indent` spaces.
std::string LegendText(const std::vector<LegendEntry>& entries, int indent,
                       const PictureStyle& style);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_PICTURE_H_
