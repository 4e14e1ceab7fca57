// Every row on a simulated machine. `conformance --scoreboard` asks the real
// kernel the same.

#include "tests/conformance/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/machine/personality.h"
#include "server/scenario/parser.h"
#include "tests/conformance/row_lines.h"
#include "tests/conformance/run_row.h"

namespace faultline::conformance {

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.family << "/" << row.name;
}

namespace {

constexpr char kRows[] = "tests/conformance/rows";

std::vector<Row> AllRows() {
  absl::StatusOr<std::vector<Row>> rows = ReadAllRows(kRows);
  return rows.ok() ? *std::move(rows) : std::vector<Row>();
}

class Rows : public testing::TestWithParam<Row> {};

TEST_P(Rows, HoldOnASimulatedMachine) {
  const Row& row = GetParam();
  const absl::StatusOr<scenario::Script> script = ScriptOf(row);
  if (!row.missing.empty() && !script.ok()) return;  // no words for it yet
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_GT(row.assertions, 0) << "a row that claims nothing";
  std::ostringstream lines;
  const std::string failure =
      RunHere(*script, {.sysctls = {{"kernel.cap_bound", kCapFull}}}, lines);
  if (row.missing.empty()) {
    EXPECT_EQ(failure, "") << row.claim << "\n"
                           << absl::StrJoin(row.lines, "\n");
  } else {
    EXPECT_NE(failure, "") << "it holds: take [" << row.missing << "] off";
  }
}

INSTANTIATE_TEST_SUITE_P(AppendixA, Rows, testing::ValuesIn(AllRows()),
                         [](const auto& info) {
                           std::string name =
                               info.param.family + "_" + info.param.name;
                           for (char& c : name) {
                             if (!std::isalnum(static_cast<unsigned char>(c)))
                               c = '_';
                           }
                           return name;
                         });

TEST(RowFiles, AreOfTheLanguage) {
  const absl::StatusOr<std::vector<Row>> rows = ReadAllRows(kRows);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_GE(rows->size(), 200u);
}

// Every case of the lists has its rows, or a reason why it has none.
TEST(Cases, HaveTheirRows) {
  const absl::StatusOr<std::string> text =
      scenario::ReadFile("tests/conformance/cases.txt");
  ASSERT_TRUE(text.ok()) << text.status();
  const absl::StatusOr<std::vector<Case>> cases = ParseCases(*text);
  ASSERT_TRUE(cases.ok()) << cases.status();
  EXPECT_GE(cases->size(), 200u);
  const std::vector<Row> rows = AllRows();
  for (const Case& one : *cases) {
    for (const std::string& name : one.rows) {
      EXPECT_TRUE(std::any_of(rows.begin(), rows.end(),
                              [&](const Row& row) {
                                return IsRowOf(name,
                                               row.family + "/" + row.name);
                              }))
          << one.name << " has no row " << name;
    }
  }
}

TEST(Cases, ARowIsNamedInFull) {
  EXPECT_TRUE(IsRowOf("f/mmap01.tail", "f/mmap01.tail"));
  EXPECT_FALSE(IsRowOf("f/mmap01.tail", "f/mmap01.tail_of_a_file"));
  EXPECT_TRUE(IsRowOf("f/mmap01.", "f/mmap01.tail"));
  EXPECT_FALSE(IsRowOf("f/mmap0", "f/mmap01.tail"));
}

TEST(Cases, MistakesAreNamed) {
  EXPECT_EQ(ParseCases("a | b/c\n# d\ne | - why\n")->size(), 2u);
  EXPECT_EQ(ParseCases("a | b/c\na | b/d\n").status().message(),
            "cases.txt:2: a second case a");
  EXPECT_EQ(ParseCases("a\n").status().message(),
            "cases.txt:1: expected 'CASE | ROW …' or 'CASE | - WHY'");
}

std::string Expanded(const std::string& line) {
  const absl::StatusOr<ExpandedLines> lines = ExpandRowLine(line);
  return lines.ok() ? absl::StrJoin(lines->lines, "\n")
                    : std::string(lines.status().message());
}

TEST(RowLines, PagesOfTheWindow) {
  EXPECT_EQ(Expanded("munmap %2-4"), "munmap 0x10002000 2p\nexpect ok");
  EXPECT_EQ(Expanded("read %1+5 => 7 +1"),
            "read 0x10001000+5\nexpect val == 7\nexpect min == 1");
}

TEST(RowLines, Map) {
  EXPECT_EQ(Expanded("@1 a: map %0-1 rw => EAGAIN"),
            "@1 a: mmap 0x10000000 1p rw FIXED|PRIVATE|ANON - 0\n"
            "expect err == EAGAIN");
  EXPECT_EQ(Expanded("map %0-1 r SHARED|LOCKED 2 5"),
            "mmap 0x10000000 1p r FIXED|SHARED|LOCKED 2 5\nexpect ok");
  EXPECT_EQ(Expanded("map %0-1 r 3"),
            "mmap 0x10000000 1p r FIXED|PRIVATE 3 0\nexpect ok");
}

TEST(RowLines, Expectations) {
  EXPECT_EQ(Expanded("write %0 1 => SEGV/2"),
            "write 0x10000000 1\nexpect sig == SIGSEGV\nexpect code == 2");
  EXPECT_EQ(Expanded("pwrite 1 0 5"), "pwrite 1 0 5\nexpect ret == 1");
  EXPECT_EQ(Expanded("ftruncate 1 0 => EACCES"),
            "ftruncate 1 0\nexpect ret == 0-13");
  EXPECT_EQ(Expanded("=> maps=0-1:rw-p VmLck=4 Rss@%0=4 flags@%0!=lo"),
            "expect cat /proc/self/maps contains 10000000-10001000 rw-p\n"
            "expect vmas == 2\nexpect status.VmLck == 4\n"
            "expect smaps.Rss@0x10000000 == 4\n"
            "expect flags@0x10000000 lacks lo");
}

TEST(RowLines, Pages) {
  EXPECT_EQ(Expanded("=> page@%1=PE page@%1!=D"),
            "expect page@0x10001000 contains PE\n"
            "expect page@0x10001000 lacks D");
}

TEST(RowLines, OfAnotherProcess) {
  EXPECT_EQ(Expanded("@1 => vmas=2"), "@1 expect vmas == 2");
}

TEST(RowLines, Times) {
  EXPECT_EQ(Expanded("times 2: munmap %{2}-{2+1}"),
            "munmap 0x10000000 1p\nexpect ok\nmunmap 0x10002000 1p\nexpect ok");
}

TEST(RowLines, MistakesAreNamed) {
  EXPECT_EQ(ParseRows("f", "== a: b\n== a: c\n").status().message(),
            "f.rows:2: a second row a");
  EXPECT_EQ(ParseRows("f", "munmap 0 1p\n").status().message(),
            "f.rows:1: a line before the first row");
  EXPECT_EQ(ParseRows("f", "== a: b\nmap %0-1\n").status().message(),
            "f.rows:2: map takes RANGE PROT [FLAGS] [FILE [PAGE]]: '%0-1'");
}

}  // namespace
}  // namespace faultline::conformance
