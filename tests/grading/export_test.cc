// The formats: golden texts, escaping, and that nothing hidden leaks.
// After a change that is meant:
//   FAULTLINE_REWRITE=1 build/dev/bin/grading_test --gtest_filter='Export.*'
#include "server/grading/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = absl::StrCat("tests/grading/golden/", name);
  if (std::getenv("FAULTLINE_REWRITE") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  EXPECT_EQ(text, ReadTree(path)) << path;
}

// One check of every kind, with texts that need escaping.
v1::GradeReport Report() {
  v1::GradeReport report;
  report.set_exercise("demo");
  report.set_title("A <demonstration> & more");
  report.set_student("ada@x.edu");
  report.set_seed(0x1234abcd);
  report.set_submission("answers.yaml");
  report.set_status(v1::REPORT_STATUS_GRADED);
  report.set_exercise_sha256("00ff");
  report.set_message("Only what comes before this was looked at: a\nb");
  v1::GradedCheck* passed = report.add_checks();
  passed->set_id("passed");
  passed->set_title("What is \"right\"?");
  passed->set_points(2);
  passed->set_points_max(2);
  passed->set_message("right");
  passed->set_actual("12");
  passed->set_expected("12");
  passed->set_evidence("sessions/demo-1@7");
  v1::GradedCheck* partial = report.add_checks();
  partial->set_id("partial");
  partial->set_title(
      "Which lines does /proc/1/maps have after the call that "
      "makes a hole in the middle of the mapping?");
  partial->set_points(1.0 / 3);
  partial->set_points_max(1);
  partial->set_message("1 of 3 <ranges> are right");
  partial->set_actual("1000-2000 rw-p\n3000-4000 r--p");
  partial->set_expected("1000-2000 rw-p\n3000-5000 rw-p");
  partial->set_explanation("Because & therefore.");
  partial->set_deciding_event("A VMA was split.");
  partial->set_evidence("sessions/demo-1@3");
  v1::GradedCheck* failed = report.add_checks();
  failed->set_id("failed");
  failed->set_title("How many?");
  failed->set_points_max(3);
  failed->set_message("Pages \x01\x1b[31m\xff are counted.");
  failed->set_staff_message("`w.min` is 4");
  failed->set_actual("\\ \" \t");
  failed->add_tags("counts-pages");
  failed->add_tags("forgot-cow");
  v1::GradedCheck* hidden = report.add_checks();
  hidden->set_id("hidden");
  hidden->set_title("The secret question");
  hidden->set_hidden(true);
  hidden->set_points(4);
  hidden->set_points_max(4);
  hidden->set_message("right");
  hidden->set_actual("42");
  Finish(&report);
  return report;
}

TEST(Export, Text) { ExpectGolden("report.txt", ToText(Report())); }
TEST(Export, Gradescope) {
  ExpectGolden("report.gradescope.json", ToGradescope(Report()));
}
TEST(Export, Junit) { ExpectGolden("report.junit.xml", ToJunit(Report())); }

TEST(Export, RedactedText) {
  v1::GradeReport report = Report();
  RedactHidden(&report);
  ExpectGolden("redacted.txt", ToText(report));
}
TEST(Export, RedactedJunit) {
  v1::GradeReport report = Report();
  RedactHidden(&report);
  ExpectGolden("redacted.junit.xml", ToJunit(report));
}

v1::GradeReport NotGradableReport() {
  v1::GradeReport report = Report();
  report.clear_checks();
  report.set_status(v1::REPORT_STATUS_NOT_GRADABLE);
  report.set_message("answers.yaml:3:1: there is no question 'fautls'");
  report.set_score(0);
  report.set_score_max(6);
  return report;
}

TEST(Export, NotGradable) {
  const v1::GradeReport report = NotGradableReport();
  ExpectGolden("not_gradable.txt",
               absl::StrCat(ToText(report), "----\n", ToGradescope(report),
                            "----\n", ToJunit(report)));
}

TEST(Export, GradescopeIsWhatItsDocumentsAskFor) {
  const json results = json::parse(ToGradescope(Report()));
  EXPECT_DOUBLE_EQ(results["score"], 6.33);
  ASSERT_EQ(results["tests"].size(), 4u);
  double score = 0;
  for (const json& test : results["tests"]) {
    EXPECT_TRUE(test["status"] == "passed" || test["status"] == "failed");
    EXPECT_TRUE(test["visibility"] == "visible" ||
                test["visibility"] == "hidden");
    EXPECT_LE(test["score"], test["max_score"]);
    EXPECT_TRUE(test["tags"].is_array());
    score += test["score"].get<double>();
  }
  EXPECT_NEAR(score, results["score"].get<double>(), 0.01);
  EXPECT_EQ(results["tests"][3]["visibility"], "hidden");
  EXPECT_EQ(results["tests"][2]["tags"][1], "forgot-cow");
  // What students are shown holds neither the hidden check nor staff's notes.
  EXPECT_THAT(results["output"].get<std::string>(), Not(HasSubstr("secret")));
  EXPECT_THAT(results["tests"][2]["output"].get<std::string>(),
              Not(HasSubstr("w.min")));
  EXPECT_EQ(results["tests"][2]["extra_data"]["staff"], "`w.min` is 4");
}

TEST(Export, RedactedReportsTellNoTotalAndNoHiddenCheck) {
  v1::GradeReport report = Report();
  RedactHidden(&report);
  for (const std::string& text :
       {ToText(report), ToJunit(report), ToGradescope(report)}) {
    EXPECT_THAT(text, Not(HasSubstr("secret")));
    EXPECT_THAT(text, Not(HasSubstr("6.33")));
    EXPECT_THAT(text, Not(HasSubstr("42")));
  }
  EXPECT_FALSE(json::parse(ToGradescope(report)).contains("score"));
}

TEST(Export, JsonEscapesEverything) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = absl::StrCat("a", std::string(1, char(byte)), "b");
    const json parsed = json::parse(JsonText(text));
    if (byte < 0x80) {
      EXPECT_EQ(parsed.get<std::string>(), text);
    } else {
      EXPECT_EQ(parsed.get<std::string>(),
                "a\xef\xbf\xbd"
                "b");
    }
  }
  EXPECT_EQ(JsonText("é\n"), "\"é\\n\"");
}

TEST(Export, XmlHasNoControlCharacters) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string xml = XmlText(std::string(1, char(byte)));
    for (const char c : xml) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << byte;
      EXPECT_NE(c, '<');
      EXPECT_NE(c, '"');
    }
  }
  EXPECT_EQ(XmlText("<a href=\"b\">&\n"),
            "&lt;a href=&quot;b&quot;&gt;&amp;&#10;");
}

TEST(Export, TextHasNothingThatATerminalObeys) {
  for (const char c : ToText(Report())) {
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
    EXPECT_NE(c, 0x7f);
  }
}

TEST(Export, Points) {
  EXPECT_EQ(PointsText(0), "0");
  EXPECT_EQ(PointsText(2), "2");
  EXPECT_EQ(PointsText(10), "10");
  EXPECT_EQ(PointsText(1.5), "1.5");
  EXPECT_EQ(PointsText(1.0 / 3), "0.33");
  EXPECT_EQ(PointsText(100.004), "100");
}

TEST(Export, VariantsForPeople) {
  for (const char* id : {"maps-after-holes", "split-and-merge"}) {
    const Exercise exercise = MustRead(
        ReadTree(absl::StrCat("server/grading/exercises/", id, ".yaml")));
    const Played played(exercise);
    const auto variant =
        ToVariant(exercise.proto, played.drawn(), played.stage());
    ASSERT_TRUE(variant.ok());
    ExpectGolden(absl::StrCat(id, ".txt"),
                 absl::StrCat(ToText(*variant), "----\n", ToScenario(*variant),
                              "----\n", ToSheet(*variant, {})));
  }
}

TEST(Export, AProgramIsTheSameMachine) {
  Exercise exercise =
      MustRead(ReadTree("server/grading/exercises/touch-pattern.yaml"));
  v1::MachineConfig& machine = *exercise.proto.mutable_machine();
  machine.set_profile(v1::PROFILE_X86_64);
  machine.set_personality(v1::PERSONALITY_LINUX_6_1);
  machine.set_swap_bytes(1 << 20);
  machine.set_cpus(2);
  machine.set_thp(v1::THP_MODE_MADVISE);
  machine.set_seed(9);
  v1::Sysctl* sysctl = machine.add_sysctls();
  sysctl->set_name("vm.overcommit_memory");
  sysctl->set_value(2);
  const Played played(exercise);
  const auto variant =
      ToVariant(exercise.proto, played.drawn(), played.stage());
  EXPECT_THAT(ToScenario(*variant),
              testing::StartsWith("boot profile=x86_64 personality=linux-6.1 "
                                  "ram=67108864 swap=1048576 cpus=2 "
                                  "thp=madvise seed=9 overcommit_memory=2\n"));
}

}  // namespace
}  // namespace faultline::grading
