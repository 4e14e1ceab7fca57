#include "client/cli/picture.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace faultline::cli {
namespace {

constexpr char kEllipsis[] = "…";

// The bytes of the UTF-8 character that `text` begins with; 1 for a byte that
// begins none.
size_t CharacterSize(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  size_t size = 1;
  if (first >= 0xf0) {
    size = 4;
  } else if (first >= 0xe0) {
    size = 3;
  } else if (first >= 0xc0) {
    size = 2;
  }
  if (size > text.size()) return 1;
  for (size_t i = 1; i < size; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 1;
  }
  return size;
}

absl::string_view TakeCharacter(absl::string_view* text) {
  const absl::string_view character = text->substr(0, CharacterSize(*text));
  text->remove_prefix(character.size());
  return character;
}

// Most characters from U+1100 on are two columns wide (Chinese, emoji); signs,
// lines and blocks, U+2000 to U+2BFF, are one.
int CharacterColumns(absl::string_view character) {
  if (character.size() < 3) return 1;
  if (character.size() == 4) return 2;
  const auto first = static_cast<unsigned char>(character[0]);
  const auto second = static_cast<unsigned char>(character[1]);
  if (first == 0xe1) return second >= 0x84 ? 2 : 1;
  if (first == 0xe2) return second < 0xb0 ? 1 : 2;
  return first > 0xe2 ? 2 : 1;
}

const char* EscapeOf(Paint paint) {
  switch (paint) {
    case Paint::kPlain:
      return "";
    case Paint::kDim:
      return "\033[2m";
    case Paint::kBold:
      return "\033[1m";
    case Paint::kGrey:
      return "\033[38;5;245m";
    case Paint::kBlue:
      return "\033[38;5;32m";
    case Paint::kGreen:
      return "\033[38;5;36m";
    case Paint::kOrange:
      return "\033[38;5;214m";
    case Paint::kVermillion:
      return "\033[38;5;166m";
    case Paint::kPurple:
      return "\033[38;5;175m";
  }
  return "";
}

// The first characters of the text that fit into `columns`.
absl::string_view Prefix(absl::string_view text, int columns) {
  absl::string_view rest = text;
  while (!rest.empty()) {
    columns -= CharacterColumns(rest.substr(0, CharacterSize(rest)));
    if (columns < 0) break;
    TakeCharacter(&rest);
  }
  return text.substr(0, text.size() - rest.size());
}

std::string Ellipsis(const PictureStyle& style) {
  return style.unicode ? kEllipsis : "~";
}

}  // namespace

int ColumnsOf(absl::string_view text) {
  int columns = 0;
  while (!text.empty()) columns += CharacterColumns(TakeCharacter(&text));
  return columns;
}

std::string Printable(absl::string_view text, const PictureStyle& style) {
  std::string clean;
  while (!text.empty()) {
    const absl::string_view character = TakeCharacter(&text);
    const auto first = static_cast<unsigned char>(character.front());
    const bool ascii = character.size() == 1 && first >= 0x20 && first < 0x7f;
    // U+0080 to U+009F control the terminal too.
    const bool control =
        character.size() == 1 ||
        (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
    if (ascii || (style.unicode && !control)) {
      absl::StrAppend(&clean, character);
    } else {
      clean += '?';
    }
  }
  return clean;
}

std::string FitEnd(absl::string_view text, int columns,
                   const PictureStyle& style) {
  if (ColumnsOf(text) <= columns) return std::string(text);
  if (columns <= 0) return "";
  return absl::StrCat(Prefix(text, columns - 1), Ellipsis(style));
}

std::string FitStart(absl::string_view text, int columns,
                     const PictureStyle& style) {
  int excess = ColumnsOf(text) - columns;
  if (excess <= 0) return std::string(text);
  if (columns <= 0) return "";
  for (excess += 1; excess > 0;) {
    excess -= CharacterColumns(TakeCharacter(&text));
  }
  return absl::StrCat(Ellipsis(style), text);
}

std::string SizeText(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B",   "KiB", "MiB", "GiB",
                                           "TiB", "PiB", "EiB"};
  size_t unit = 0;
  uint64_t tenths = bytes * 10;
  // 16 EiB times ten does not fit, and needs no tenths.
  if (bytes >> 60 != 0) {
    bytes >>= 10;
    tenths = bytes * 10;
    unit = 1;
  }
  while (tenths >= 10240) {
    tenths = tenths / 1024 + (tenths % 1024 >= 512 ? 1 : 0);
    ++unit;
  }
  if (tenths % 10 == 0) return absl::StrCat(tenths / 10, " ", kUnits[unit]);
  return absl::StrFormat("%d.%d %s", tenths / 10, tenths % 10, kUnits[unit]);
}

PictureLine& PictureLine::Add(absl::string_view text, Paint paint) {
  text = Prefix(text, left());
  if (text.empty()) return *this;
  columns_ += ColumnsOf(text);
  if (runs_.empty() || runs_.back().paint != paint) {
    runs_.push_back({"", paint});
  }
  absl::StrAppend(&runs_.back().text, text);
  return *this;
}

PictureLine& PictureLine::PadTo(int column) {
  const int spaces = std::min(column, style_.width) - columns_;
  if (spaces > 0) Add(std::string(static_cast<size_t>(spaces), ' '));
  return *this;
}

std::string PictureLine::Take() {
  while (!runs_.empty()) {
    std::string& text = runs_.back().text;
    text.erase(text.find_last_not_of(' ') + 1);
    if (!text.empty()) break;
    runs_.pop_back();
  }
  std::string line;
  for (const Run& run : runs_) {
    const char* escape = style_.color ? EscapeOf(run.paint) : "";
    absl::StrAppend(&line, escape, run.text, *escape ? "\033[0m" : "");
  }
  runs_.clear();
  columns_ = 0;
  return line + "\n";
}

std::string LegendText(const std::vector<LegendEntry>& entries, int indent,
                       const PictureStyle& style) {
  constexpr int kBetween = 3;
  std::string text;
  PictureLine line(style);
  for (const LegendEntry& entry : entries) {
    const int columns = ColumnsOf(entry.glyph) + 1 + ColumnsOf(entry.words);
    if (line.columns() > indent && line.left() < kBetween + columns) {
      text += line.Take();
    }
    line.PadTo(line.columns() > indent ? line.columns() + kBetween : indent);
    line.Add(entry.glyph, entry.paint).Add(" ").Add(entry.words, Paint::kDim);
  }
  return line.columns() > 0 ? text + line.Take() : text;
}

}  // namespace faultline::cli
