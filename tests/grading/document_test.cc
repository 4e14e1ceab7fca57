// What server/grading/README.md says of the language is what there is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/grading/facts.h"
#include "server/grading/function.h"

namespace faultline::grading {
namespace {

using testing::HasSubstr;

std::string Document() {
  std::ostringstream text;
  text << std::ifstream("server/grading/README.md").rdbuf();
  return text.str();
}

std::string InCode(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    absl::StrAppend(&text, text.empty() ? "" : " ", "`", word, "`");
  }
  return text;
}

TEST(DocumentTest, HasEveryFunctionAndNoOther) {
  const std::string document = Document();
  std::string table = "| function | gives |\n|---|---|\n";
  for (const FunctionSpec& spec : FunctionTable()) {
    absl::StrAppend(&table, "| `", spec.usage, "` | ", spec.help, " |\n");
  }
  EXPECT_THAT(document, HasSubstr(absl::StrCat(table, "\n")));
}

TEST(DocumentTest, HasEveryField) {
  const std::string document = Document();
  EXPECT_THAT(document, HasSubstr(absl::StrCat(
                            "of its outcome: ", InCode(StepFields()), " |")));
  EXPECT_THAT(document,
              HasSubstr(absl::StrCat("of all operations, or of the student's: ",
                                     InCode(TotalFields()), " |")));
}

}  // namespace
}  // namespace faultline::grading
