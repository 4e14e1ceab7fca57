#include "tests/native/compare.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace faultline::native {
namespace {

CompareResult Compare(const std::string& a, const std::string& b,
                      const std::string& fields = "",
                      Side hidden_page = Side::kNone) {
  CompareOptions options;
  options.hidden_page = hidden_page;
  if (!fields.empty()) {
    std::string error;
    const auto parsed = ParseCompareFields(fields, &error);
    EXPECT_TRUE(parsed.has_value()) << error;
    options.fields = parsed.value_or(0);
  }
  std::istringstream stream_a(a);
  std::istringstream stream_b(b);
  return CompareRuns(stream_a, stream_b, options);
}

// The field that differs first, or "" for none.
std::string FirstField(const std::string& a, const std::string& b,
                       const std::string& fields = "",
                       Side hidden_page = Side::kNone) {
  const CompareResult result = Compare(a, b, fields, hidden_page);
  return result.difference ? result.difference->field : "";
}

std::string Op(const std::string& rest) {
  return R"({"i":1,"p":0,"op":"read 0")" + rest + "}\n";
}

std::string Dump(const std::string& rest) {
  return R"({"dump":1,"p":0,)" + rest + "}\n";
}

struct FieldCase {
  const char* name;
  std::string a;
  std::string b;
  const char* field;   // What must be named.
  const char* select;  // The --fields that covers it.
};

class EachField : public testing::TestWithParam<FieldCase> {};

TEST_P(EachField, IsComparedWhenChosenAndOnlyThen) {
  const FieldCase& test = GetParam();
  EXPECT_EQ(FirstField(test.a, test.b), test.field);
  EXPECT_EQ(FirstField(test.a, test.a), "");
  EXPECT_EQ(FirstField(test.a, test.b, test.select), test.field);
  for (const NamedCompareField& other : CompareFieldNames()) {
    if (other.name == std::string(test.select)) continue;
    EXPECT_EQ(FirstField(test.a, test.b, other.name), "") << other.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Compare, EachField,
    testing::Values(
        FieldCase{"ret", Op(R"(,"ret":"1000")"), Op(R"(,"ret":"2000")"), "ret",
                  "ret"},
        FieldCase{"exited", Op(R"(,"exited":1)"), Op(""), "exited", "ret"},
        FieldCase{"err", Op(R"(,"err":"ENOMEM")"), Op(R"(,"err":"EINVAL")"),
                  "err", "err"},
        FieldCase{"sig", Op(R"(,"sig":11,"code":1,"addr":"0")"), Op(""), "sig",
                  "sig"},
        FieldCase{"code", Op(R"(,"sig":11,"code":1,"addr":"0")"),
                  Op(R"(,"sig":11,"code":2,"addr":"0")"), "code", "sig"},
        FieldCase{"addr", Op(R"(,"sig":11,"code":1,"addr":"0")"),
                  Op(R"(,"sig":11,"code":1,"addr":"1")"), "addr", "sig"},
        FieldCase{"val", Op(R"(,"val":1)"), Op(R"(,"val":2)"), "val", "val"},
        FieldCase{"min", Op(R"(,"min":1,"maj":0)"), Op(""), "min", "faults"},
        FieldCase{"maj", Op(R"(,"min":0,"maj":1)"), Op(R"(,"min":0,"maj":2)"),
                  "maj", "faults"},
        FieldCase{"maps", Dump(R"("maps":[["1000","2000","rw-p","0",0,""]])"),
                  Dump(R"("maps":[["1000","3000","rw-p","0",0,""]])"),
                  "maps row 1", "maps"},
        FieldCase{"maps_row", Dump(R"("maps":[["1000"],["2000"]])"),
                  Dump(R"("maps":[["1000"]])"), "maps row 2", "maps"},
        FieldCase{"smaps",
                  Dump(R"("smaps":[{"s":"1000","e":"2000","Rss":4,"f":"rd"}])"),
                  Dump(R"("smaps":[{"s":"1000","e":"2000","Rss":8,"f":"rd"}])"),
                  "smaps 1000-2000 Rss", "smaps"},
        FieldCase{"smaps_flags",
                  Dump(R"("smaps":[{"s":"1000","e":"2000","f":"rd"}])"),
                  Dump(R"("smaps":[{"s":"1000","e":"2000","f":"rd wr"}])"),
                  "smaps 1000-2000 f", "smaps"},
        FieldCase{"pm", Dump(R"("pm":["10:PE:1:1:5828"])"),
                  Dump(R"("pm":["10:P:1:2:5828"])"), "pm row 1", "pm"},
        FieldCase{"pm_dirty", Dump(R"("pm":["10:PE:1:1:5828"])"),
                  Dump(R"("pm":["10:PE:1:1:5838"])"), "pm row 1", "pm"},
        FieldCase{"pm_swap", Dump(R"("pm":["10:S"])"),
                  Dump(R"("pm":["10:PE:1:1:5828"])"), "pm row 1", "pm"},
        FieldCase{"status", Dump(R"("status":{"VmRSS":8})"),
                  Dump(R"("status":{"VmRSS":12})"), "status VmRSS", "status"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Compare, ZeroAndAbsentAreTheSameForCounts) {
  EXPECT_EQ(FirstField(Op(R"(,"min":0,"maj":0)"), Op("")), "");
  EXPECT_EQ(FirstField(Dump(R"("smaps":[{"s":"1","e":"2","Swap":0,"f":""}])"),
                       Dump(R"("smaps":[{"s":"1","e":"2","f":""}])")),
            "");
}

TEST(Compare, UnstableBitsOfKpageflagsDoNotCount) {
  // LRU (5), ACTIVE (6), UNEVICTABLE (18), REFERENCED (2), IDLE (25).
  EXPECT_EQ(FirstField(Dump(R"("pm":["10:PE:1:1:5808"])"),
                       Dump(R"("pm":["10:PE:1:1:204586c"])")),
            "");
}

TEST(Compare, AKnownDifferenceIsPassedOver) {
  const std::string a = Op(R"(,"val":1)") + Op(R"(,"val":3)");
  const std::string b = Op(R"(,"val":2)") + Op(R"(,"val":4)");
  CompareOptions options;
  options.known = {{"op 1 (read 0)", "val"}, {"op 1 (read 0)", "ret"}};
  std::istringstream stream_a(a);
  std::istringstream stream_b(b);
  const CompareResult result = CompareRuns(stream_a, stream_b, options);
  ASSERT_TRUE(result.difference);
  EXPECT_EQ(result.difference->line_a, 2);
  ASSERT_EQ(result.known_gone.size(), 1u);
  EXPECT_EQ(result.known_gone[0].field, "ret");
}

TEST(Compare, TheHiddenPageIsTakenOutOfASumThatIsShownAsZero) {
  EXPECT_EQ(FirstField(Dump(R"("status":{"RssAnon":0})"),
                       Dump(R"("status":{"RssAnon":0})"), "status", Side::kA),
            "");
}

TEST(Compare, TheHiddenPageIsTakenOutOfStatus) {
  const std::string real = Dump(
      R"("status":{"VmSize":140,"VmRSS":8,"VmExe":4,"VmLib":4,"VmPTE":16})");
  const std::string ours = Dump(
      R"("status":{"VmSize":136,"VmRSS":4,"VmExe":4,"VmLib":0,"VmPTE":12})");
  EXPECT_EQ(FirstField(real, ours, "status", Side::kA), "");
  EXPECT_EQ(FirstField(ours, real, "status", Side::kB), "");
  EXPECT_NE(FirstField(real, ours, "status"), "");
}

TEST(Compare, WhatAFetchedInstructionDidIsNoSignalOfTheFetch) {
  const std::string ours = Op(R"(,"fetchfault":0)");
  const std::string real =
      Op(R"(,"sig":11,"code":2,"addr":"7fffff000000","fetchfault":0)");
  EXPECT_EQ(FirstField(real, ours, "", Side::kA), "");
  EXPECT_EQ(FirstField(ours, real, "", Side::kB), "");
  const std::string inside =
      Op(R"(,"sig":11,"code":2,"addr":"7fffff000038","fetchfault":0)");
  EXPECT_EQ(FirstField(inside, ours, "", Side::kA), "");
  EXPECT_EQ(FirstField(real, ours, "", Side::kB), "sig");
  EXPECT_EQ(FirstField(real, ours), "sig");
  const std::string illegal =
      Op(R"(,"sig":4,"code":2,"addr":"10001000","fetchfault":0)");
  EXPECT_EQ(FirstField(illegal, ours, "", Side::kA), "");
  // A page beyond the end of its file, or a fetch that faulted, is its own.
  for (const char* other :
       {R"(,"sig":7,"code":2,"addr":"7fffff000000","fetchfault":0)",
        R"(,"sig":11,"code":2,"addr":"7fffff000000","fetchfault":1)"}) {
    EXPECT_NE(FirstField(Op(other), ours, "", Side::kA), "") << other;
  }
}

TEST(Compare, APeakBelowWhatNativeStartedWithIsNoDifference) {
  const auto peak = [](int kilobytes) {
    return Dump("\"status\":{\"VmPeak\":" + std::to_string(kilobytes) + "}");
  };
  EXPECT_EQ(FirstField(peak(168), peak(132), "status", Side::kA), "");
  EXPECT_EQ(FirstField(peak(176), peak(172), "status", Side::kA), "");
  EXPECT_NE(FirstField(peak(180), peak(180), "status", Side::kA), "");
  EXPECT_EQ(FirstField(peak(404), peak(400), "status", Side::kA), "");
  EXPECT_NE(FirstField(peak(404), peak(404), "status", Side::kA), "");
}

TEST(Compare, LinesThatAreMissingOrOfAnotherKindDiffer) {
  EXPECT_EQ(FirstField(Op(""), Op("") + Op("")), "line");
  EXPECT_EQ(FirstField(Op(""), Dump(R"("maps":[])")), "line");
  EXPECT_EQ(FirstField(Op(""), "garbage\n"), "line");
  EXPECT_EQ(FirstField(Op(R"(,"skip":1)"), Op(""), "val"), "skip");
  EXPECT_EQ(FirstField(Op("") + Dump(R"("maps":[])"), Op(""), "ret"), "")
      << "dumps are passed over when no part of them is chosen";
}

TEST(Compare, ADifferenceSaysWhereItIs) {
  const CompareResult result =
      Compare(Op("") + Op(R"(,"val":1)"), Op("") + Op(R"(,"val":2)"));
  EXPECT_EQ(result.lines_equal, 1);
  ASSERT_TRUE(result.difference);
  EXPECT_EQ(result.difference->Text(),
            "lines 2/2, op 1 (read 0), val: A has 1, B has 2");
}

TEST(Compare, AnUnknownFieldIsRefused) {
  std::string error;
  EXPECT_FALSE(ParseCompareFields("ret,mapps", &error));
  EXPECT_NE(error.find("'mapps'"), std::string::npos);
}

}  // namespace
}  // namespace faultline::native
