#include "server/grading/answer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/grading/names.h"
#include "server/scenario/expr.h"
#include "server/scenario/suggest.h"

namespace faultline::grading {
namespace {

// A number as it was written: whole ones are exact.
struct Number {
  absl::optional<int64_t> whole;
  double value = 0;
};

// Without blanks, _ and the commas between groups of digits.
std::string Digits(absl::string_view text) {
  std::string digits;
  for (const char c : text) {
    const bool filler = absl::ascii_isspace(static_cast<unsigned char>(c)) ||
                        c == '_' || c == ',';
    if (!filler) digits += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return digits;
}

absl::optional<uint64_t> ParseBase(absl::string_view digits, uint64_t base) {
  uint64_t value = 0;
  if (digits.empty()) return absl::nullopt;
  for (const char c : digits) {
    const int digit = absl::ascii_isdigit(static_cast<unsigned char>(c))
                          ? c - '0'
                          : c - 'a' + 10;
    const auto d = static_cast<uint64_t>(digit);
    if (digit < 0 || d >= base || value > (UINT64_MAX - d) / base) {
      return absl::nullopt;
    }
    value = value * base + d;
  }
  return value;
}

absl::optional<uint64_t> ParseMagnitude(absl::string_view digits) {
  if (absl::ConsumePrefix(&digits, "0b")) return ParseBase(digits, 2);
  if (absl::ConsumePrefix(&digits, "0o")) return ParseBase(digits, 8);
  const auto number = scenario::ParseNumber(digits);
  if (number.ok()) return *number;
  return absl::nullopt;
}

absl::optional<Number> ParseAnswer(absl::string_view text) {
  const std::string written = Digits(text);
  absl::string_view digits = written;
  const bool negative = absl::ConsumePrefix(&digits, "-");
  if (!negative) absl::ConsumePrefix(&digits, "+");
  Number number;
  if (const auto magnitude = ParseMagnitude(digits)) {
    number.whole = static_cast<int64_t>(negative ? 0 - *magnitude : *magnitude);
    number.value = static_cast<double>(*number.whole);
    return number;
  }
  const bool decimal =
      absl::StrContains(digits, ".") &&
      digits.find_first_not_of("0123456789.") == absl::string_view::npos;
  if (!decimal || !absl::SimpleAtod(written, &number.value)) {
    return absl::nullopt;
  }
  if (number.value == std::floor(number.value) &&
      std::abs(number.value) < 9e15) {
    number.whole = static_cast<int64_t>(number.value);
  }
  return number;
}

bool IsClose(const v1::Question& question, const Number& given, int64_t right) {
  if (given.whole && *given.whole == right) return true;
  const auto wanted = static_cast<double>(right);
  const double allowed =
      std::max(question.tolerance(),
               std::abs(wanted) * question.tolerance_percent() / 100);
  return allowed > 0 && std::abs(given.value - wanted) <= allowed;
}

Judgement Unreadable(const v1::Question& question, absl::string_view given) {
  Judgement judgement;
  judgement.unreadable = absl::StrCat(
      "'", given, "' cannot be read: the answer is ", FormOf(question));
  return judgement;
}

Judgement JudgeNumber(const v1::Question& question, int64_t right,
                      absl::string_view given) {
  const absl::optional<Number> number = ParseAnswer(given);
  if (!number) return Unreadable(question, given);
  Judgement judgement;
  judgement.number = number->whole;
  judgement.fraction = IsClose(question, *number, right) ? 1 : 0;
  return judgement;
}

// Hexadecimal digits without 0x may look like a decimal number: either way of
// reading them will do.
Judgement JudgeAddress(const v1::Question& question, int64_t right,
                       absl::string_view given) {
  const auto hexadecimal = ParseBase(Digits(given), 16);
  if (hexadecimal && static_cast<int64_t>(*hexadecimal) == right) {
    Judgement judgement;
    judgement.number = right;
    judgement.fraction = 1;
    return judgement;
  }
  Judgement judgement = JudgeNumber(question, right, given);
  if (!judgement.unreadable.empty() && hexadecimal) {
    judgement.unreadable.clear();
    judgement.number = static_cast<int64_t>(*hexadecimal);
  }
  return judgement;
}

Judgement JudgeName(const v1::Question& question, int64_t right,
                    absl::string_view given) {
  absl::optional<int64_t> number;
  if (question.type() == v1::ANSWER_TYPE_ERRNO) {
    number = ParseErrno(given);
  } else if (question.type() == v1::ANSWER_TYPE_SIGNAL) {
    number = ParseSignal(given);
  } else {
    number = ParseSegvCode(given);
  }
  if (!number) return Unreadable(question, given);
  Judgement judgement;
  judgement.number = number;
  judgement.fraction = *number == right ? 1 : 0;
  return judgement;
}

std::string Normalise(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  return absl::AsciiStrToLower(absl::StrJoin(words, " "));
}

Judgement JudgeText(const v1::Question& question, const std::string& right,
                    absl::string_view given) {
  const std::string answer = Normalise(given);
  Judgement judgement;
  judgement.fraction = answer == Normalise(right) ? 1 : 0;
  if (question.choices_size() == 0) return judgement;
  std::vector<std::string> choices;
  for (const std::string& choice : question.choices()) {
    choices.push_back(Normalise(choice));
  }
  const bool known =
      std::find(choices.begin(), choices.end(), answer) != choices.end();
  return known ? judgement : Unreadable(question, given);
}

Judgement JudgeNumbers(const v1::Question& question,
                       const std::vector<int64_t>& right,
                       absl::string_view given) {
  const std::vector<absl::string_view> words = absl::StrSplit(
      given, absl::ByAnyChar(" \t\r\n,;[]()"), absl::SkipEmpty());
  std::vector<std::string> good;
  for (size_t i = 0; i < words.size(); ++i) {
    const absl::optional<Number> number = ParseAnswer(words[i]);
    if (!number) return Unreadable(question, given);
    if (i < right.size() && IsClose(question, *number, right[i])) {
      good.push_back(absl::StrCat(i + 1));
    }
  }
  const size_t of = std::max({right.size(), words.size(), size_t{1}});
  Judgement judgement;
  judgement.fraction =
      static_cast<double>(good.size()) / static_cast<double>(of);
  judgement.parts = absl::StrCat(
      good.size(), " of ", right.size(), " numbers are right",
      good.empty() ? "" : absl::StrCat(": number ", absl::StrJoin(good, ", ")),
      words.size() == right.size()
          ? ""
          : absl::StrCat("; ", words.size(), " instead of ", right.size(),
                         " are given"));
  return judgement;
}

// The range and the permissions of a line of maps.
struct MapsRow {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string perms;
};

absl::optional<MapsRow> ParseRow(absl::string_view line) {
  const std::vector<std::string> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.size() < 2) return absl::nullopt;
  const std::vector<std::string> ends =
      absl::StrSplit(absl::AsciiStrToLower(words[0]), '-');
  if (ends.size() != 2) return absl::nullopt;
  const auto start = ParseBase(absl::StripPrefix(ends[0], "0x"), 16);
  const auto end = ParseBase(absl::StripPrefix(ends[1], "0x"), 16);
  if (!start || !end) return absl::nullopt;
  return MapsRow{*start, *end, absl::AsciiStrToLower(words[1])};
}

// False at the first line that is none.
bool ParseRows(absl::string_view text, std::vector<MapsRow>* rows) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const absl::optional<MapsRow> row = ParseRow(line);
    if (!row) return false;
    rows->push_back(*row);
  }
  return true;
}

Judgement JudgeMaps(const v1::Question& question, const std::string& right,
                    absl::string_view given) {
  std::vector<MapsRow> wanted, rows;
  ParseRows(right, &wanted);
  if (!ParseRows(given, &rows)) return Unreadable(question, given);
  size_t halves = 0;
  for (const MapsRow& line : wanted) {
    const auto found = std::find_if(
        rows.begin(), rows.end(),
        [&](const MapsRow& row) { return row.start == line.start; });
    if (found == rows.end()) continue;
    halves += (found->end == line.end) + (found->perms == line.perms);
  }
  const size_t of = std::max({wanted.size(), rows.size(), size_t{1}});
  Judgement judgement;
  judgement.fraction =
      static_cast<double>(halves) / (2 * static_cast<double>(of));
  judgement.parts = absl::StrCat(
      halves, " of ", 2 * wanted.size(), " ranges and permissions are right",
      rows.size() == wanted.size()
          ? ""
          : absl::StrCat("; ", rows.size(), " lines instead of ", wanted.size(),
                         " are given"));
  return judgement;
}

}  // namespace

Judgement Judge(const v1::Question& question, const Value& right,
                absl::string_view given) {
  given = absl::StripAsciiWhitespace(given);
  switch (question.type()) {
    case v1::ANSWER_TYPE_ADDRESS:
      return JudgeAddress(question, right.number(), given);
    case v1::ANSWER_TYPE_ERRNO:
    case v1::ANSWER_TYPE_SIGNAL:
    case v1::ANSWER_TYPE_SIGNAL_CODE:
      return JudgeName(question, right.number(), given);
    case v1::ANSWER_TYPE_TEXT:
      return JudgeText(question, right.text(), given);
    case v1::ANSWER_TYPE_NUMBERS:
      return JudgeNumbers(question, right.list(), given);
    case v1::ANSWER_TYPE_MAPS:
      return JudgeMaps(question, right.text(), given);
    default:
      return JudgeNumber(question, right.number(), given);
  }
}

std::string ToAnswer(const v1::Question& question, const Value& value) {
  switch (question.type()) {
    case v1::ANSWER_TYPE_ADDRESS:
      return Hex(value.number());
    case v1::ANSWER_TYPE_ERRNO:
      return ErrnoText(value.number());
    case v1::ANSWER_TYPE_SIGNAL:
      return SignalText(value.number());
    case v1::ANSWER_TYPE_SIGNAL_CODE:
      return SignalCodeText(11, value.number());
    default:
      return value.ToText();
  }
}

std::string CheckAnswerType(v1::AnswerType type, const Value& value) {
  switch (type) {
    case v1::ANSWER_TYPE_TEXT:
    case v1::ANSWER_TYPE_MAPS:
      return value.is_text()
                 ? ""
                 : absl::StrCat("it gives ", value.kind(), ", not a text");
    case v1::ANSWER_TYPE_NUMBERS:
      return value.is_list() ? ""
                             : absl::StrCat("it gives ", value.kind(),
                                            ", not a list: write [a, b]");
    default:
      return value.is_number()
                 ? ""
                 : absl::StrCat("it gives ", value.kind(), ", not a number");
  }
}

std::string FormOf(const v1::Question& question) {
  switch (question.type()) {
    case v1::ANSWER_TYPE_ADDRESS:
      return "an address in hexadecimal";
    case v1::ANSWER_TYPE_ERRNO:
      return "the name of an errno, such as EINVAL, or none";
    case v1::ANSWER_TYPE_SIGNAL:
      return "the name of a signal, such as SIGSEGV, or none";
    case v1::ANSWER_TYPE_SIGNAL_CODE:
      return "SEGV_MAPERR, SEGV_ACCERR or none";
    case v1::ANSWER_TYPE_TEXT:
      return question.choices_size() == 0
                 ? "a text"
                 : absl::StrCat("one of: ",
                                absl::StrJoin(question.choices(), ", "));
    case v1::ANSWER_TYPE_NUMBERS:
      return "several numbers with commas between them";
    case v1::ANSWER_TYPE_MAPS:
      return "lines as in /proc/PID/maps, of which START-END and the "
             "permissions count";
    default:
      return "a number without a unit: decimal, or hexadecimal with 0x";
  }
}

}  // namespace faultline::grading
