// Reads table.json and compares; README.md beside it is the format.
#ifndef FAULTLINE_TESTS_INTEROP_TABLE_H_
#define FAULTLINE_TESTS_INTEROP_TABLE_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace faultline::interop {

// Keeps the order of keys, so that a difference reads like the table.
using Json = nlohmann::ordered_json;

struct Failure {
  std::string code;
  std::string message;
  std::string reason;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> violations;
  bool retry = false;
};

struct Answer {
  std::vector<Json> responses;  // with the defaults written out
  std::optional<Failure> failure;
};

// Makes the call of one step, in which every placeholder is replaced.
using Call = std::function<Answer(const Json& step)>;

struct Result {
  int passed = 0;          // cases
  std::string difference;  // the first; empty: none
};

// Runs the cases that `client` does not skip, up to the first difference.
Result RunTable(const std::string& path, const std::string& client,
                const Call& call);

}  // namespace faultline::interop

#endif  // FAULTLINE_TESTS_INTEROP_TABLE_H_
