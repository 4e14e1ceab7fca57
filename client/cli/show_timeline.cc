#include "client/cli/show_timeline.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/terminal.h"

namespace faultline::cli {
namespace {

// Labels are in the columns before this one.
constexpr int kLabelColumns = 14;

struct Glyph {
  const char* unicode;
  const char* ascii;
  Paint paint;
  const char* words;
};

// By ChangeClass.
constexpr Glyph kGlyphs[kChangeClasses] = {
    {" ", " ", Paint::kPlain, ""},
    {"·", ".", Paint::kGrey, "other call"},
    {"-", "-", Paint::kGrey, "call refused"},
    {"◇", "P", Paint::kGreen, "fork, exec, exit"},
    {"○", "0", Paint::kGrey, "zero page"},
    {"●", "m", Paint::kBlue, "minor fault"},
    {"◐", "c", Paint::kOrange, "copy-on-write"},
    {"◆", "M", Paint::kPurple, "major fault"},
    {"!", "!", Paint::kVermillion, "SIGSEGV, SIGBUS"},
    {"X", "X", Paint::kVermillion, "out of memory"},
    {"#", "#", Paint::kVermillion, "broke the simulator"},
};

constexpr const char* kUnicodeLevels[] = {" ", "▁", "▂", "▃", "▄",
                                          "▅", "▆", "▇", "█"};
constexpr const char* kAsciiLevels[] = {" ", ".", ":", "-", "=",
                                        "+", "*", "%", "@"};
constexpr uint64_t kLevels = 8;

std::string Padded(const std::string& number, size_t columns) {
  return number.size() < columns
             ? std::string(columns - number.size(), ' ') + number
             : number;
}

}  // namespace

Timeline::Timeline(Revisions revisions, const PictureStyle& style)
    : revisions_(revisions), style_(style) {
  const auto columns_max = static_cast<int64_t>(style.width - kLabelColumns);
  per_column_ =
      std::max<int64_t>((revisions.count() + columns_max - 1) / columns_max, 1);
  columns_ =
      static_cast<size_t>((revisions.count() + per_column_ - 1) / per_column_);
  faults_.resize(columns_);
}

size_t Timeline::ColumnAt(int64_t revision) const {
  return static_cast<size_t>((revision - revisions_.first) / per_column_);
}

Timeline::Row& Timeline::RowOf(uint32_t pid) {
  const auto known = row_of_pid_.find(pid);
  if (known != row_of_pid_.end()) return rows_[known->second];
  if (rows_.size() > kRowsMax) return rows_.back();
  const bool full = rows_.size() == kRowsMax;
  if (!full) row_of_pid_[pid] = rows_.size();
  Row& row = rows_.emplace_back();
  row.columns.resize(columns_, ChangeClass::kNone);
  if (full) {
    row.label = "others";
  } else {
    row.label = pid == 0 ? "machine" : absl::StrCat("process ", pid);
  }
  return row;
}

void Timeline::Add(const v1::Change& change) {
  if (change.revision() < revisions_.first ||
      change.revision() > revisions_.last) {
    return;
  }
  const size_t column = ColumnAt(change.revision());
  ChangeClass& shown = RowOf(change.command().pid()).columns[column];
  shown = std::max(shown, ClassOf(change));
  faults_[column] += change.outcome().min_flt() + change.outcome().maj_flt();
}

std::string Timeline::DrawRow(const Row& row) const {
  PictureLine line(style_);
  line.Add("  ").Add(row.label).PadTo(kLabelColumns);
  for (const ChangeClass shown : row.columns) {
    const Glyph& glyph = kGlyphs[static_cast<int>(shown)];
    line.Add(style_.unicode ? glyph.unicode : glyph.ascii, glyph.paint);
  }
  return line.Take();
}

std::string Timeline::DrawFaults() const {
  const uint64_t most = *std::max_element(faults_.begin(), faults_.end());
  if (most == 0) return "";
  PictureLine line(style_);
  line.Add("  faults").PadTo(kLabelColumns);
  for (const uint64_t faults : faults_) {
    // Rounded up, so that one fault among millions is seen.
    const auto level =
        static_cast<uint64_t>((static_cast<double>(faults) * kLevels +
                               static_cast<double>(most) - 1) /
                              static_cast<double>(most));
    line.Add(style_.unicode ? kUnicodeLevels[std::min(level, kLevels)]
                            : kAsciiLevels[std::min(level, kLevels)],
             Paint::kBlue);
  }
  return line.Take();
}

// The first and the last revision under their columns.
std::string Timeline::DrawAxis() const {
  PictureLine line(style_);
  const std::string first = absl::StrCat(revisions_.first);
  const std::string last = absl::StrCat(revisions_.last);
  line.Add("  revision").PadTo(kLabelColumns).Add(first);
  if (columns_ >= first.size() + 2 + last.size()) {
    line.Add(Padded(last, columns_ - first.size()));
  } else if (revisions_.count() > 1) {
    line.Add(absl::StrCat(" to ", last));
  }
  return line.Take();
}

std::string Timeline::Draw() const {
  if (columns_ == 0) return "";
  PictureLine title(style_);
  title.Add("Timeline", Paint::kBold);
  const auto count = static_cast<uint64_t>(revisions_.count());
  title.Add(absl::StrCat("  ", Count(count, "revision")));
  if (per_column_ > 1) {
    title.Add(absl::StrCat(", ", per_column_,
                           " a column: the most telling is shown"));
  }
  std::string text = title.Take();
  for (const Row& row : rows_) text += DrawRow(row);
  text += DrawFaults();
  text += DrawAxis();
  return text + DrawLegend();
}

// Of what is to be seen.
std::string Timeline::DrawLegend() const {
  std::vector<LegendEntry> legend;
  for (int i = 1; i < kChangeClasses; ++i) {
    const bool seen =
        std::any_of(rows_.begin(), rows_.end(), [i](const Row& row) {
          return std::count(row.columns.begin(), row.columns.end(),
                            static_cast<ChangeClass>(i)) > 0;
        });
    if (!seen) continue;
    const Glyph& glyph = kGlyphs[i];
    legend.push_back({style_.unicode ? glyph.unicode : glyph.ascii, glyph.words,
                      glyph.paint});
  }
  const uint64_t most = *std::max_element(faults_.begin(), faults_.end());
  if (most > 0) {
    legend.push_back(
        {style_.unicode ? kUnicodeLevels[kLevels] : kAsciiLevels[kLevels],
         Count(most, "fault"), Paint::kBlue});
  }
  return LegendText(legend, 2, style_);
}

}  // namespace faultline::cli
