#include "tests/conformance/rows.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/scenario/parser.h"
#include "tests/conformance/row_lines.h"

namespace faultline::conformance {
namespace {

// "NAME: CLAIM" or "NAME [WHAT IS MISSING]: CLAIM".
bool ParseHeader(absl::string_view text, Row* row) {
  const size_t colon = text.find(": ");
  if (colon == absl::string_view::npos) return false;
  absl::string_view name = text.substr(0, colon);
  row->claim = std::string(absl::StripAsciiWhitespace(text.substr(colon + 2)));
  const size_t bracket = name.find(" [");
  if (bracket != absl::string_view::npos) {
    absl::string_view missing = name.substr(bracket + 2);
    if (!absl::ConsumeSuffix(&missing, "]")) return false;
    row->missing = std::string(missing);
    name = name.substr(0, bracket);
  }
  row->name = std::string(absl::StripAsciiWhitespace(name));
  return !row->name.empty() && !row->claim.empty();
}

absl::Status At(const std::string& family, int line, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(family, ":", line, ": ", what));
}

}  // namespace

absl::StatusOr<std::vector<Row>> ParseRows(const std::string& family,
                                           absl::string_view text) {
  std::vector<Row> rows;
  std::set<std::string> names;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (absl::ConsumePrefix(&line, "== ")) {
      Row& row = rows.emplace_back();
      row.family = family;
      row.line = number;
      if (!ParseHeader(line, &row)) {
        return At(family + ".rows", number,
                  "expected '== NAME [MISSING]: CLAIM'");
      }
      if (!names.insert(row.name).second) {
        return At(family + ".rows", number,
                  absl::StrCat("a second row ", row.name));
      }
      continue;
    }
    if (rows.empty())
      return At(family + ".rows", number, "a line before the first row");
    absl::StatusOr<ExpandedLines> expanded = ExpandRowLine(line);
    if (!expanded.ok())
      return At(family + ".rows", number, expanded.status().message());
    Row& row = rows.back();
    row.lines.insert(row.lines.end(), expanded->lines.begin(),
                     expanded->lines.end());
    row.assertions += expanded->assertions;
  }
  return rows;
}

bool IsRowOf(absl::string_view of_case, absl::string_view row) {
  return absl::EndsWith(of_case, ".") ? absl::StartsWith(row, of_case)
                                      : row == of_case;
}

absl::StatusOr<std::vector<Case>> ParseCases(absl::string_view text) {
  std::vector<Case> cases;
  std::set<std::string> names;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(" | ", 1));
    Case& one = cases.emplace_back();
    one.name = std::string(parts[0]);
    absl::string_view rest = parts.size() == 2 ? parts[1] : "";
    if (absl::ConsumePrefix(&rest, "- ")) {
      one.why_none = std::string(rest);
    } else {
      one.rows = absl::StrSplit(rest, ' ', absl::SkipEmpty());
    }
    if (one.rows.empty() && one.why_none.empty()) {
      return At("cases.txt", number,
                "expected 'CASE | ROW …' or 'CASE | - WHY'");
    }
    if (!names.insert(one.name).second) {
      return At("cases.txt", number, absl::StrCat("a second case ", one.name));
    }
  }
  return cases;
}

absl::StatusOr<std::vector<Row>> ReadAllRows(const std::string& directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".rows") paths.push_back(entry.path());
  }
  if (error || paths.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "no rows in ", directory, ": run from the root of the source tree"));
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Row> all;
  for (const std::filesystem::path& path : paths) {
    absl::StatusOr<std::string> text = scenario::ReadFile(path.string());
    if (!text.ok()) return text.status();
    absl::StatusOr<std::vector<Row>> rows = ParseRows(path.stem(), *text);
    if (!rows.ok()) return rows.status();
    all.insert(all.end(), rows->begin(), rows->end());
  }
  return all;
}

}  // namespace faultline::conformance
