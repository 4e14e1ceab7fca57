// jsonl_compare A B [--fields=ret,err,...] [--hidden-page=A|B]: names the first
// difference between two runs of a scenario. Exit code 0: none; 1: one; 2: bad
// usage.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "tests/native/compare.h"

int main(int argc, char** argv) {
  using faultline::native::Side;
  CLI::App app{"Names the first difference between two runs of a scenario."};
  std::string path_a;
  std::string path_b;
  std::string fields;
  faultline::native::CompareOptions options;
  app.add_option("A", path_a, "JSON lines of one run")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("B", path_b, "JSON lines of the other run")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--fields", fields,
                 "What to compare, of: ret,err,sig,val,faults,maps,smaps,pm,"
                 "status (default: all)");
  app.add_option("--hidden-page", options.hidden_page,
                 "The side that `native` ran: its status counts one page more")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Side>{{"A", Side::kA}, {"B", Side::kB}}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!fields.empty()) {
    std::string error;
    const auto parsed = faultline::native::ParseCompareFields(fields, &error);
    if (!parsed) {
      std::cerr << "jsonl_compare: " << error << "\n";
      return 2;
    }
    options.fields = *parsed;
  }
  std::ifstream a(path_a);
  std::ifstream b(path_b);
  const auto result = faultline::native::CompareRuns(a, b, options);
  if (!result.difference) {
    std::cout << "same: " << result.lines_equal << " lines\n";
    return 0;
  }
  std::cout << result.difference->Text() << " (after " << result.lines_equal
            << " equal lines)\n";
  return 1;
}
