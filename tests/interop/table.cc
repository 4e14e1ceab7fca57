#include "tests/interop/table.h"

#include <cstdint>
#include <fstream>
#include <regex>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace faultline::interop {
namespace {

using Names = std::map<std::string, std::string>;

constexpr char kSessions[] = "sessions/";

struct Difference {
  std::string text;
};

std::string Show(const Json* value) {
  constexpr size_t kShownMax = 2000;
  return value == nullptr ? "nothing" : value->dump().substr(0, kShownMax);
}

[[noreturn]] void Differ(const std::string& path, const Json& expected,
                         const Json* actual) {
  throw Difference{absl::StrCat(path, "\n  expected ", Show(&expected),
                                "\n  actual   ", Show(actual))};
}

const Json* Find(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// --- Requests.

std::string Replaced(const std::string& text, const Names& names) {
  static const std::regex placeholder(R"(\$\{(\w+)([+-]\d+)?\})");
  std::string result;
  std::string rest = text;
  for (std::smatch match; std::regex_search(rest, match, placeholder);) {
    std::string value = names.at(match[1]);
    if (match[2].matched) {
      const uint64_t offset = std::stoull(match[2].str().substr(1));
      const uint64_t from = std::stoull(value);
      value = std::to_string(match[2].str()[0] == '+' ? from + offset
                                                      : from - offset);
    }
    absl::StrAppend(&result, match.prefix().str(), value);
    rest = match.suffix();
  }
  return result + rest;
}

// A copy with the placeholders replaced and the lists written out.
Json Filled(const Json& value, const Names& names) {
  if (value.is_string()) return Replaced(value.get<std::string>(), names);
  if (value.is_array()) {
    if (value.size() == 1 && value[0].is_object() &&
        value[0].contains("$repeat")) {
      return Json(value[0]["$repeat"].get<size_t>(),
                  Filled(value[0]["of"], names));
    }
    Json result = Json::array();
    for (const Json& element : value) result.push_back(Filled(element, names));
    return result;
  }
  if (!value.is_object()) return value;
  if (const Json* size = Find(value, "$bytes")) {
    return absl::Base64Escape(std::string(size->get<size_t>(), 'x'));
  }
  if (const Json* size = Find(value, "$text")) {
    return std::string(size->get<size_t>(), 'x');
  }
  Json result = Json::object();
  for (const auto& [key, element] : value.items()) {
    result[key] = Filled(element, names);
  }
  return result;
}

// --- Responses. An `actual` of nullptr is a field that is not set.

void Match(const std::string& path, const Json& expected, const Json* actual);

void MatchList(const std::string& path, const Json& expected,
               const Json& actual) {
  if (!actual.is_array() || actual.size() != expected.size()) {
    Differ(path, expected, &actual);
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    Match(absl::StrCat(path, "[", i, "]"), expected[i], &actual[i]);
  }
}

bool IsDefault(const Json& value) {
  return value == "" || value == "0" || value == 0 ||
         (value.is_array() && value.empty());
}

bool MatchesSpecial(const Json& expected, const Json* actual) {
  if (actual == nullptr) return false;
  if (expected.contains("$any")) return !IsDefault(*actual);
  if (const Json* part = Find(expected, "$contains")) {
    return actual->is_string() && absl::StrContains(actual->get<std::string>(),
                                                    part->get<std::string>());
  }
  return actual->is_array() && actual->size() == expected["$size"];
}

void MatchObject(const std::string& path, const Json& expected,
                 const Json* actual) {
  if (!expected.empty() && expected.begin().key()[0] == '$') {
    if (!MatchesSpecial(expected, actual)) Differ(path, expected, actual);
    return;
  }
  if (actual == nullptr || !actual->is_object()) {
    Differ(path, expected, actual);
  }
  for (const auto& [key, value] : expected.items()) {
    Match(absl::StrCat(path, ".", key), value, Find(*actual, key));
  }
}

// A number with a point and nothing behind it has none.
std::string TextOf(const Json& scalar) {
  if (scalar.is_string()) return scalar.get<std::string>();
  const std::string text = scalar.dump();
  return scalar.is_number_float() ? std::string(absl::StripSuffix(text, ".0"))
                                  : text;
}

void Match(const std::string& path, const Json& expected, const Json* actual) {
  if (expected.is_object()) return MatchObject(path, expected, actual);
  if (expected.is_null()) {
    if (actual != nullptr) Differ(path, expected, actual);
    return;
  }
  if (actual == nullptr) Differ(path, expected, actual);
  if (expected.is_array()) return MatchList(path, expected, *actual);
  if (expected.is_boolean() != actual->is_boolean() ||
      TextOf(expected) != TextOf(*actual)) {
    Differ(path, expected, actual);
  }
}

Json ToJson(const Failure& failure) {
  return {{"code", failure.code},
          {"message", failure.message},
          {"reason", failure.reason},
          {"metadata", failure.metadata},
          {"violations", failure.violations},
          {"retry", failure.retry}};
}

void MatchFailure(Json expected, const Answer& answer) {
  if (!answer.failure) {
    const Json responses = answer.responses;
    Differ("status", expected, &responses);
  }
  if (expected.contains("message")) {
    expected["message"] = Json{{"$contains", expected["message"]}};
  }
  const Json actual = ToJson(*answer.failure);
  Match("status", expected, &actual);
}

const Json& ValueAt(const Json& response, const std::string& path) {
  const Json* value = &response;
  for (absl::string_view name :
       absl::StrSplit(path, absl::ByAnyChar(".[]"), absl::SkipEmpty())) {
    size_t index = 0;
    value = absl::SimpleAtoi(name, &index) ? &value->at(index)
                                           : &value->at(std::string(name));
  }
  return *value;
}

// --- Steps and cases.

void RunStep(const Json& step, const Call& call, Names* names) {
  const Answer answer = call(step);
  const Json responses = answer.responses;
  if (const Json* status = Find(step, "status")) {
    MatchFailure(*status, answer);
  } else if (answer.failure) {
    const Json actual = ToJson(*answer.failure);
    Differ("status", "OK", &actual);
  }
  if (const Json* one = Find(step, "response")) {
    MatchList("responses", Json::array({*one}), responses);
  } else if (const Json* all = Find(step, "responses")) {
    MatchList("responses", *all, responses);
  } else if (const Json* last = Find(step, "last")) {
    Match("last", *last, responses.empty() ? nullptr : &responses.back());
  }
  const Json* save = Find(step, "save");
  if (save == nullptr) return;
  for (const auto& [name, path] : save->items()) {
    (*names)[name] = TextOf(ValueAt(responses.back(), path));
  }
}

Json StepsOf(const Json& test) {
  Json steps = Json::array();
  if (test.contains("session")) {
    Json request = test["session"];
    request["sessionId"] = test["name"];
    steps.push_back({{"rpc", "faultline.v1.SessionService/CreateSession"},
                     {"request", request},
                     {"response", Json::object()}});
  }
  for (const Json& step : test["steps"]) steps.push_back(step);
  return steps;
}

// "" or the first difference.
std::string RunCase(const Json& test, const Call& call) {
  const std::string name = test["name"];
  Names names = {{"case", name}, {"session", kSessions + name}};
  int number = test.contains("session") ? 0 : 1;
  for (const Json& step : StepsOf(test)) {
    try {
      RunStep(Filled(step, names), call, &names);
    } catch (const Difference& difference) {
      return absl::StrCat("case ", name, ", step ", number, ", ",
                          step["rpc"].get<std::string>(), ": ",
                          difference.text);
    }
    ++number;
  }
  return "";
}

}  // namespace

Result RunTable(const std::string& path, const std::string& client,
                const Call& call) {
  const Json table = Json::parse(std::ifstream(path));
  Result result;
  for (const Json& test : table["cases"]) {
    const Json* skip = Find(test, "skip");
    if (skip != nullptr && skip->contains(client)) continue;
    result.difference = RunCase(test, call);
    if (!result.difference.empty()) break;
    ++result.passed;
  }
  return result;
}

}  // namespace faultline::interop
