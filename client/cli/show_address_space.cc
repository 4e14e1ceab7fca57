#include "client/cli/show_address_space.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/terminal.h"

namespace faultline::cli {
namespace {

// Where the text beside the bar begins, counted from the bar's end.
constexpr int kBarMargin = 3;
// "7ffff7ffb000-7ffff7ffd000": longer ranges push the rest of the line.
constexpr size_t kRangeColumns = 25;
// With how many processes a VMA's frames are shared, before they are counted
// only.
constexpr size_t kSharersNamedMax = 3;

struct Glyph {
  const char* unicode;
  const char* ascii;
  Paint paint;
  const char* words;
};

// By PageState.
constexpr Glyph kPageGlyphs[kPageStates] = {
    {"·", ".", Paint::kGrey, "absent"},
    {"○", "0", Paint::kGrey, "zero page"},
    {"□", "f", Paint::kGreen, "file"},
    {"▣", "d", Paint::kPurple, "file, dirty"},
    {"█", "#", Paint::kBlue, "anonymous"},
    {"▞", "%", Paint::kOrange, "anonymous, shared until written"},
    {"◇", "s", Paint::kVermillion, "in swap"},
};

// What surrounds the cells.
struct Frame {
  const char* horizontal;
  const char* vertical;
  const char* top[2];
  const char* middle[2];
  const char* bottom[2];
  const char* zigzag[2];
};
constexpr Frame kUnicodeFrame = {"─",        "│",        {"┌", "┐"},
                                 {"├", "┤"}, {"└", "┘"}, {"╱", "╲"}};
constexpr Frame kAsciiFrame = {"-",        "|",        {"+", "+"},
                               {"+", "+"}, {"+", "+"}, {"/", "\\"}};

class Drawing {
 public:
  Drawing(const ProcessLook& process, const PictureStyle& style)
      : process_(process),
        style_(style),
        frame_(style.unicode ? kUnicodeFrame : kAsciiFrame),
        columns_(StripColumns(style)) {}

  std::string Draw() {
    DrawTitle();
    if (process_.vmas.empty()) return out_;
    const scenario::MapsLine* above = nullptr;
    for (auto vma = process_.vmas.rbegin(); vma != process_.vmas.rend();
         ++vma) {
      const scenario::MapsLine& line = vma->smaps.vma;
      const bool joined = above != nullptr && above->start == line.end;
      if (above != nullptr && !joined) DrawGap(line.end, above->start);
      DrawVma(*vma, joined ? frame_.middle : frame_.top);
      above = &line;
    }
    DrawGap(0, above->start);
    return out_;
  }

 private:
  void DrawTitle() {
    PictureLine line(style_);
    line.Add(absl::StrCat("Process ", process_.pid), Paint::kBold);
    line.Add(absl::StrCat(" ", Printable(process_.name, style_)));
    if (process_.zombie) {
      line.Add("  has ended; nobody has waited for it");
    } else {
      line.Add(absl::StrCat("  size ", Kilobytes("VmSize"), ", resident ",
                            Kilobytes("VmRSS"), ", page tables ",
                            Kilobytes("VmPTE")));
    }
    if (process_.parent != 0) {
      line.Add(absl::StrCat(", child of ", process_.parent), Paint::kDim);
    }
    out_ += line.Take();
  }

  std::string Kilobytes(const char* field) const {
    return SizeText(process_.Kilobytes(field) << 10);
  }

  // The bar's border, with what /proc/PID/maps says of the VMA below it.
  void DrawVma(const VmaLook& vma, const char* const corners[2]) {
    const scenario::MapsLine& maps = vma.smaps.vma;
    PictureLine line = Border(corners);
    std::string range = absl::StrFormat("%08x-%08x", maps.start, maps.end);
    range.resize(std::max(range.size(), kRangeColumns), ' ');
    line.Add(absl::StrCat(range, " "));
    line.Add(maps.perms, Paint::kBold);
    line.Add(absl::StrFormat(" %08x ", maps.offset), Paint::kDim);
    line.Add(FitStart(Printable(maps.name, style_), line.left(), style_));
    out_ += line.Take();
    std::vector<std::string> notes = Notes(vma);
    // A box is higher than its cells where the notes need it.
    for (int row = 0; row < vma.layout.rows || !notes.empty(); ++row) {
      PictureLine strip = Strip(vma, row);
      strip.PadTo(columns_ + kBarMargin);
      const std::string text = TakeThatFit(strip.left(), &notes);
      strip.Add(FitEnd(text, strip.left(), style_), Paint::kDim);
      out_ += strip.Take();
    }
  }

  // The first notes, as many as fit into a row, but one if there are any.
  static std::string TakeThatFit(int columns, std::vector<std::string>* notes) {
    std::string text;
    size_t taken = 0;
    for (const std::string& note : *notes) {
      const std::string more = absl::StrCat(text, taken > 0 ? ", " : "", note);
      if (taken > 0 && ColumnsOf(more) > columns) break;
      text = more;
      ++taken;
    }
    notes->erase(notes->begin(),
                 notes->begin() + static_cast<std::ptrdiff_t>(taken));
    return text;
  }

  PictureLine Border(const char* const corners[2]) const {
    PictureLine line(style_);
    line.Add(corners[0]);
    for (int i = 0; i < columns_; ++i) line.Add(frame_.horizontal);
    line.Add(corners[1]).PadTo(columns_ + kBarMargin);
    return line;
  }

  PictureLine Strip(const VmaLook& vma, int row) const {
    PictureLine line(style_);
    line.Add(frame_.vertical);
    // Empty below the cells.
    const int rows_below = vma.layout.rows - 1 - row;
    const int first = std::max(rows_below, 0) * columns_;
    const int end =
        rows_below < 0
            ? first
            : std::min(first + columns_, static_cast<int>(vma.cells.size()));
    for (int i = first; i < end; ++i) {
      const PageState state = vma.cells[static_cast<size_t>(i)];
      const Glyph& glyph = kPageGlyphs[static_cast<int>(state)];
      line.Add(style_.unicode ? glyph.unicode : glyph.ascii, glyph.paint);
    }
    line.PadTo(columns_ + 1).Add(frame_.vertical);
    return line;
  }

  // The box's end, and how much is free below it.
  void DrawGap(uint64_t from, uint64_t to) {
    out_ += Border(frame_.bottom).Take();
    if (from == to) return;
    PictureLine line(style_);
    for (int i = 0; i < columns_ + 2; ++i) {
      line.Add(frame_.zigzag[i % 2], Paint::kGrey);
    }
    line.PadTo(columns_ + kBarMargin);
    line.Add(absl::StrCat(SizeText(to - from), " not mapped"), Paint::kDim);
    out_ += line.Take();
  }

  static uint64_t Sum(const VmaLook& vma,
                      std::initializer_list<const char*> fields) {
    uint64_t kilobytes = 0;
    for (const auto& [name, value] : vma.smaps.kilobytes) {
      for (const char* field : fields) kilobytes += name == field ? value : 0;
    }
    return kilobytes << 10;
  }

  static void AddSharing(const VmaLook& vma, std::vector<std::string>* notes) {
    if (vma.shared_with.size() > kSharersNamedMax) {
      notes->push_back(absl::StrCat("frames shared with ",
                                    vma.shared_with.size(), " processes"));
      return;
    }
    for (const auto& [pid, frames] : vma.shared_with) {
      notes->push_back(
          absl::StrCat(Count(frames, "frame"), " shared with process ", pid));
    }
  }

  static std::vector<std::string> Notes(const VmaLook& vma) {
    const scenario::MapsLine& maps = vma.smaps.vma;
    std::string size = SizeText(maps.end - maps.start);
    if (!vma.layout.one_page_per_cell()) {
      absl::StrAppend(&size, " (", vma.layout.pages, " pages in ",
                      vma.layout.cells, " cells",
                      vma.sampled ? ", sampled)" : ")");
    }
    std::vector<std::string> notes = {size};
    // A part of a whole that is not empty.
    auto add = [&notes](uint64_t part, uint64_t whole, const char* what) {
      if (part == 0) return;
      notes.push_back(
          absl::StrCat(part == whole ? "all" : SizeText(part), what));
    };
    const uint64_t bytes = maps.end - maps.start;
    const uint64_t resident = Sum(vma, {"Rss"});
    add(resident, bytes, " resident");
    add(Sum(vma, {"Anonymous"}), resident, " anonymous");
    if (vma.shared_with.empty()) {
      add(Sum(vma, {"Shared_Clean", "Shared_Dirty"}), resident, " shared");
    }
    add(Sum(vma, {"Swap"}), bytes, " in swap");
    add(Sum(vma, {"Locked"}), resident, " locked");
    AddSharing(vma, &notes);
    return notes;
  }

  const ProcessLook& process_;
  const PictureStyle& style_;
  const Frame& frame_;
  int columns_;
  std::string out_;
};

}  // namespace

int StripColumns(const PictureStyle& style) {
  if (style.width >= 112) return 32;
  return style.width >= 72 ? 16 : 8;
}

std::string AddressSpacePicture(const ProcessLook& process,
                                const PictureStyle& style) {
  return Drawing(process, style).Draw();
}

std::string PageLegend(const PictureStyle& style) {
  std::vector<LegendEntry> entries;
  for (const Glyph& glyph : kPageGlyphs) {
    entries.push_back({style.unicode ? glyph.unicode : glyph.ascii, glyph.words,
                       glyph.paint});
  }
  return LegendText(entries, 0, style);
}

}  // namespace faultline::cli
