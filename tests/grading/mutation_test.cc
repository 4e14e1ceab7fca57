// Mutations of the exercises, and of an answer sheet: whatever a file holds, it
// is read or refused with a line and a sentence, and nothing crashes.
//
// FAULTLINE_GRADING_MUTATIONS=100000 tries more of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/grading/lint.h"
#include "tests/grading/grading_testing.h"

namespace faultline::grading {
namespace {

int Mutations() {
  int mutations = 600;
  const char* wanted = std::getenv("FAULTLINE_GRADING_MUTATIONS");
  if (wanted != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(wanted, &mutations));
  }
  return mutations;
}

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  std::string Mutate(std::string text) {
    for (size_t n = 1 + random_() % 4; n > 0 && !text.empty(); --n) {
      MutateOnce(&text);
    }
    return text;
  }

 private:
  size_t At(const std::string& text) { return random_() % text.size(); }

  void MutateOnce(std::string* text) {
    static const auto& words =
        *new std::vector<std::string>{"{",
                                      "}",
                                      "[",
                                      "]",
                                      ":",
                                      "- ",
                                      "\n",
                                      "  ",
                                      "'",
                                      "\"",
                                      "|",
                                      ">",
                                      "#",
                                      "&",
                                      "*x",
                                      "!!x ",
                                      "{{",
                                      "$",
                                      "(",
                                      ")",
                                      "?",
                                      "0x",
                                      "99999999999999999999",
                                      "-1",
                                      "\t",
                                      "\xc3",
                                      "\xff",
                                      std::string(1, 0),
                                      "---\n",
                                      "text: ",
                                      "answer: ",
                                      "at(a, ",
                                      "1 / 0",
                                      "events("};
    switch (random_() % 6) {
      case 0:
        text->erase(At(*text), 1 + random_() % 40);
        break;
      case 1:
        text->insert(At(*text), words[random_() % words.size()]);
        break;
      case 2:
        (*text)[At(*text)] = static_cast<char>(random_() % 256);
        break;
      case 3: {
        const std::string piece = text->substr(At(*text), random_() % 60);
        text->insert(At(*text), piece);
        break;
      }
      case 4:
        std::swap((*text)[At(*text)], (*text)[At(*text)]);
        break;
      default:
        SwapLines(text);
    }
  }

  void SwapLines(std::string* text) {
    std::vector<std::string> lines = absl::StrSplit(*text, '\n');
    std::swap(lines[random_() % lines.size()], lines[random_() % lines.size()]);
    text->clear();
    for (const std::string& line : lines) absl::StrAppend(text, line, "\n");
  }

  std::mt19937 random_;
};

// "LINE:COLUMN: " and a sentence, within the file.
void ExpectPlaced(const std::string& text, const Problem& problem) {
  const auto lines =
      static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  EXPECT_GE(problem.mark.line, 1) << problem.message;
  EXPECT_LE(problem.mark.line, lines + 1) << problem.message;
  EXPECT_GE(problem.mark.column, 1) << problem.message;
  EXPECT_GE(problem.message.size(), 10u) << problem.message;
}

class Mutated : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(All, Mutated, testing::ValuesIn(ShippedExercises()),
                         [](const testing::TestParamInfo<std::string>& info) {
                           return absl::StrCat("exercise", info.index);
                         });

TEST_P(Mutated, IsReadOrRefusedWithLineAndSentence) {
  const std::string original = ReadTree(GetParam());
  Mutator mutator(7);
  int refused = 0;
  for (int i = 0; i < Mutations(); ++i) {
    const std::string text = mutator.Mutate(original);
    Problems problems;
    const Exercise exercise = ReadExercise(text, &problems);
    if (!HasErrors(problems)) problems = LintVariants(exercise, 2, {});
    for (const Problem& problem : problems) ExpectPlaced(text, problem);
    refused += HasErrors(problems);
  }
  EXPECT_GT(refused, Mutations() / 5);
  EXPECT_LT(refused, Mutations()) << "some mutations harm nothing";
}

TEST(MutatedSheet, IsReadOrRefused) {
  const Exercise exercise =
      MustRead(ReadTree("server/grading/exercises/maps-after-holes.yaml"));
  const std::string original =
      "exercise: maps-after-holes\nstudent: \"ada\"\nanswers:\n"
      "  after-munmap: 3\n  maps: |\n    10000000-10003000 rw-p\n"
      "    10004000-10006000 r--p\n  after-back: [3, 4]\n";
  const Played played(exercise);
  Mutator mutator(8);
  for (int i = 0; i < 5 * Mutations(); ++i) {
    const std::string text = mutator.Mutate(original);
    const auto sheet = ReadSubmission("s", text, exercise.proto);
    if (!sheet.ok()) {
      EXPECT_THAT(std::string(sheet.status().message()),
                  testing::MatchesRegex("s:[0-9]+:[0-9]+: (.|\n)+"));
      continue;
    }
    played.Answer(Answers(sheet->answers().begin(), sheet->answers().end()));
  }
}

}  // namespace
}  // namespace faultline::grading
