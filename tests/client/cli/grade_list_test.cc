// Grades as a list: which of them, and in which form.

#include "server/commands/grade_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace faultline {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// A check with points.
struct Points {
  std::string id;
  double points = 0;
  double max = 1;
};

v1::Grade MakeGrade(const std::string& student, const std::string& attempt,
                    const std::string& id, const std::vector<Points>& checks) {
  v1::Grade grade;
  grade.set_name(
      absl::StrCat("exercises/cow/attempts/", attempt, "/grades/", id));
  grade.mutable_create_time()->set_seconds(1'800'000'000);
  v1::GradeReport* report = grade.mutable_report();
  report->set_student(student);
  report->set_status(v1::REPORT_STATUS_GRADED);
  report->set_submission(absl::StrCat("sessions/", attempt, "@7"));
  report->set_exercise_sha256("ab");
  report->set_seed(0xfedcba9876543210);
  for (const Points& points : checks) {
    v1::GradedCheck* check = report->add_checks();
    check->set_id(points.id);
    check->set_points(points.points);
    check->set_points_max(points.max);
    check->set_status(points.points >= points.max ? v1::CHECK_STATUS_PASSED
                                                  : v1::CHECK_STATUS_FAILED);
    report->set_score(report->score() + points.points);
    report->set_score_max(report->score_max() + points.max);
  }
  return grade;
}

v1::Grade WithScore(const std::string& student, const std::string& attempt,
                    const std::string& id, double score) {
  return MakeGrade(student, attempt, id, {{"q", score, 9}});
}

std::vector<std::string> Names(const std::vector<v1::Grade>& grades) {
  std::vector<std::string> names;
  for (const v1::Grade& grade : grades) {
    const std::vector<std::string> parts = absl::StrSplit(grade.name(), '/');
    names.push_back(absl::StrCat(parts[3], ".", parts[5]));
  }
  return names;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_EQ(lines.back(), "");
  lines.pop_back();
  return lines;
}

TEST(GradeListTest, EachGradeOfAllAttempts) {
  const std::vector<v1::Grade> grades = {
      WithScore("ada", "a", "1", 3), WithScore("bob", "b", "1", 2),
      WithScore("ada", "a", "2", 1), WithScore("ada", "c", "1", 1)};
  EXPECT_THAT(Names(Select(grades, Per::kGrade)),
              ElementsAre("a.1", "b.1", "a.2", "c.1"));
}

TEST(GradeListTest, TheLastGradeOfAnAttemptIsTheOneThatCounts) {
  const std::vector<v1::Grade> grades = {
      WithScore("ada", "a", "1", 3), WithScore("bob", "b", "1", 2),
      WithScore("ada", "a", "2", 1), WithScore("ada", "c", "1", 0)};
  EXPECT_THAT(Names(Select(grades, Per::kAttempt)),
              ElementsAre("b.1", "a.2", "c.1"));
}

TEST(GradeListTest, TheBestAttemptOfAStudentIsTheOneThatCounts) {
  const std::vector<v1::Grade> grades = {
      WithScore("ada", "a", "1", 9),  // and graded again:
      WithScore("ada", "a", "2", 4), WithScore("ada", "b", "1", 6),
      WithScore("bob", "c", "1", 2), WithScore("bob", "d", "1", 2),
      WithScore("ada", "e", "1", 5)};
  EXPECT_THAT(Names(Select(grades, Per::kStudent)), ElementsAre("b.1", "c.1"));
}

TEST(GradeListTest, WhatIsShownDecidesWhereTheScoreIsNot) {
  std::vector<v1::Grade> grades = {WithScore("ada", "a", "1", 2),
                                   WithScore("ada", "b", "1", 3)};
  for (v1::Grade& grade : grades) {
    grade.mutable_report()->set_redacted(true);
    grade.mutable_report()->clear_score();
  }
  EXPECT_THAT(Names(Select(grades, Per::kStudent)), ElementsAre("b.1"));
}

TEST(GradeListTest, NoGradesAreNone) {
  for (const Per per : {Per::kGrade, Per::kAttempt, Per::kStudent}) {
    EXPECT_TRUE(Select({}, per).empty());
  }
  EXPECT_EQ(ToCsv({}),
            "student,attempt,graded,status,score,score_max,submission,"
            "exercise_sha256\n");
  EXPECT_EQ(ToJson({}), "[]\n");
}

TEST(GradeListTest, ATableSaysWhatWasLost) {
  v1::Grade unread = WithScore("bob", "b", "1", 0);
  unread.mutable_report()->clear_checks();
  unread.mutable_report()->set_status(v1::REPORT_STATUS_NOT_GRADABLE);
  unread.mutable_report()->set_message("it has\n no end");
  v1::Grade hidden = WithScore("cy@x.edu", "c", "1", 9);
  hidden.mutable_report()->set_redacted(true);
  const auto lines = Lines(
      ToTable({MakeGrade("ada", "a1f", "1", {{"read", 1.5, 2}, {"rss", 1, 1}}),
               unread, hidden}));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], "student   attempt  score  graded               lost");
  EXPECT_THAT(lines[1], testing::MatchesRegex(
                            "ada       cow/a1f  2.5/3  2027-[-0-9: ]+  read "
                            "1.5/2"));
  EXPECT_THAT(lines[2], testing::MatchesRegex(
                            "bob       cow/b      0/9  .*  not gradable: it "
                            "has no end"));
  EXPECT_THAT(lines[3], testing::MatchesRegex(
                            "cy@x.edu  cow/c        -  2027-[-0-9: ]+[0-9]"));
  EXPECT_EQ(lines[4], "3 grades of 3 students");
}

TEST(GradeListTest, CsvHasAColumnForEachCheckThatThereIs) {
  v1::Grade hidden = MakeGrade("cy", "c", "1", {{"new", 1}});
  hidden.mutable_report()->set_redacted(true);
  const auto lines =
      Lines(ToCsv({MakeGrade("ada", "a", "1", {{"read", 0.333333}, {"rss", 1}}),
                   MakeGrade("bob", "b", "1", {{"rss", 0}}), hidden}));
  EXPECT_THAT(
      lines,
      ElementsAre(
          "student,attempt,graded,status,score,score_max,check.read,check.rss,"
          "check.new,submission,exercise_sha256",
          "ada,cow/a,2027-01-15T08:00:00Z,graded,1.33,2,0.33,1,,sessions/a@7,"
          "ab",
          "bob,cow/b,2027-01-15T08:00:00Z,graded,0,1,,0,,sessions/b@7,ab",
          "cy,cow/c,2027-01-15T08:00:00Z,graded,,,,,1,sessions/c@7,ab"));
}

TEST(GradeListTest, CsvQuotesAndComputesNothing) {
  const auto student = [](const std::string& who) {
    const std::string csv = ToCsv({MakeGrade(who, "a", "1", {})});
    const size_t start = csv.find('\n') + 1;
    return csv.substr(start, csv.find(",cow/a") - start);
  };
  EXPECT_EQ(student("ada@x.edu"), "ada@x.edu");
  EXPECT_EQ(student("a,b"), "\"a,b\"");
  EXPECT_EQ(student("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(student("=1+1"), "'=1+1");
  EXPECT_EQ(student("@ada"), "'@ada");
  EXPECT_EQ(student("-1,=x"), "\"'-1,=x\"");
}

TEST(GradeListTest, JsonIsWhatTheContractHas) {
  const json grades =
      json::parse(ToJson({MakeGrade("ada", "a", "1", {{"read", 0, 2}}),
                          MakeGrade("bob", "b", "1", {})}));
  ASSERT_EQ(grades.size(), 2u);
  EXPECT_EQ(grades[0]["name"], "exercises/cow/attempts/a/grades/1");
  EXPECT_EQ(grades[0]["create_time"], "2027-01-15T08:00:00Z");
  const json& report = grades[0]["report"];
  EXPECT_EQ(report["student"], "ada");
  EXPECT_EQ(report["score"], 0) << "also when it is none";
  EXPECT_EQ(report["score_max"], 2);
  EXPECT_EQ(report["redacted"], false);
  EXPECT_EQ(report["seed"], "18364758544493064720") << "exact";
  EXPECT_EQ(report["checks"][0]["status"], "CHECK_STATUS_FAILED");
}

}  // namespace
}  // namespace faultline
