#include "tests/grading/grading_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "server/grading/draw.h"

namespace faultline::grading {

std::string ReadTree(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << ": run in the root of the source tree";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> ShippedExercises() {
  std::vector<std::string> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator("server/grading/exercises")) {
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Exercise MustRead(const std::string& yaml) {
  auto exercise = ReadExercise("test.yaml", yaml);
  EXPECT_TRUE(exercise.ok()) << exercise.status().message();
  return exercise.ok() ? *std::move(exercise) : Exercise();
}

std::string Complaints(const std::string& yaml) {
  Problems problems;
  ReadExercise(yaml, &problems);
  std::string text;
  for (const Problem& problem : problems) {
    absl::StrAppend(&text, ToText("", problem), "\n");
  }
  return text;
}

Played::Played(const Exercise& exercise, const std::string& student)
    : exercise_(exercise) {
  auto drawn = DrawFor(exercise.proto, student);
  EXPECT_TRUE(drawn.ok()) << drawn.status();
  if (drawn.ok()) drawn_ = *std::move(drawn);
  auto stage = SetUp(exercise.proto, drawn_.values);
  EXPECT_TRUE(stage.ok()) << stage.status();
  if (stage.ok()) stage_ = *std::move(stage);
}

Case Played::MakeCase() const {
  return {exercise_, drawn_, "the submission", InFiles("setup.s", "mine.s")};
}

Answers Played::Solution() const {
  auto answers = Solve(exercise_, drawn_.values, *stage_.trial);
  EXPECT_TRUE(answers.ok()) << answers.status();
  return answers.ok() ? *answers : Answers();
}

v1::GradeReport Played::Answer(const Answers& answers) const {
  auto report = GradeAnswers(MakeCase(), *stage_.trial, answers);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : v1::GradeReport();
}

v1::GradeReport Played::Perform(const std::string& scenario) {
  stopped_ = grading::Perform(exercise_.proto, "mine.s", scenario, stage_);
  auto report = GradeTrial(MakeCase(), *stage_.trial, stopped_.message());
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : v1::GradeReport();
}

v1::GradedCheck CheckOf(const v1::GradeReport& report, const std::string& id) {
  for (const v1::GradedCheck& check : report.checks()) {
    if (check.id() == id) return check;
  }
  ADD_FAILURE() << "no check " << id;
  return {};
}

}  // namespace faultline::grading
