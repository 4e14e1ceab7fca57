// Parsers of single arguments.

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/scenario/suggest.h"
#include "server/scenario/words.h"

namespace faultline::scenario {
namespace {

// A column for each part of "A|B|C".
std::vector<Word> SplitAtBars(const Word& word) {
  std::vector<Word> parts;
  int column = word.column;
  for (absl::string_view part : absl::StrSplit(word.text, '|')) {
    parts.push_back({std::string(part), column});
    column += static_cast<int>(part.size()) + 1;
  }
  return parts;
}

LineError UnknownName(const Word& word, const NameTable& table) {
  return {word.column, absl::StrCat("unknown ", table.what(), " '", word.text,
                                    "'", DidYouMean(word.text, table.Names()))};
}

}  // namespace

LineError UsageError(const OpSpec& spec, int column, const char* problem) {
  std::string takes = spec.usage;
  if (takes.empty()) takes = "no arguments";
  return {column, absl::StrCat(problem, ": '", spec.name, "' takes ", takes)};
}

MaybeError ParseNumberWord(const Word& word, uint64_t* out) {
  absl::StatusOr<uint64_t> number = ParseNumber(word.text);
  if (!number.ok()) {
    return LineError{word.column, std::string(number.status().message())};
  }
  *out = *number;
  return std::nullopt;
}

MaybeError ParseExprWord(const Word& word, Expr* out) {
  int column = word.column;
  absl::StatusOr<Expr> expr = ParseExpr(word.text, word.column, &column);
  if (!expr.ok()) {
    return LineError{column, std::string(expr.status().message())};
  }
  *out = *std::move(expr);
  return std::nullopt;
}

MaybeError ParseProt(const Word& word, uint64_t* out) {
  if (word.text[0] >= '0' && word.text[0] <= '9') {
    return ParseNumberWord(word, out);
  }
  uint64_t prot = 0;
  for (size_t i = 0; i < word.text.size(); ++i) {
    switch (word.text[i]) {
      case 'r':
        prot |= kProtRead;
        break;
      case 'w':
        prot |= kProtWrite;
        break;
      case 'x':
        prot |= kProtExec;
        break;
      case 'g':
        prot |= kProtGrowsDown;
        break;
      case 'G':
        prot |= kProtGrowsUp;
        break;
      case '-':
        break;
      default:
        return LineError{
            word.column + static_cast<int>(i),
            absl::StrCat("'", word.text,
                         "' is not a protection: write letters "
                         "of rwx such as rw- or ---, or a number")};
    }
  }
  *out = prot;
  return std::nullopt;
}

MaybeError ParseFlags(const Word& word, const NameTable& table, uint64_t* out) {
  uint64_t flags = 0;
  for (const Word& part : SplitAtBars(word)) {
    uint64_t value = 0;
    if (MaybeError error = ParseOneName(part, table, &value)) return error;
    flags |= value;
  }
  *out = flags;
  return std::nullopt;
}

MaybeError ParseOneName(const Word& word, const NameTable& table,
                        uint64_t* out) {
  if (const auto value = table.Find(word.text)) {
    *out = *value;
    return std::nullopt;
  }
  if (!word.text.empty() && word.text[0] >= '0' && word.text[0] <= '9') {
    return ParseNumberWord(word, out);
  }
  return UnknownName(word, table);
}

MaybeError ParseNodes(const Word& word, std::vector<uint64_t>* out) {
  constexpr uint64_t kBits = 64, kNodesMax = 32768;
  if (word.text == "-") return std::nullopt;
  out->resize(1);
  if (word.text == "none") return std::nullopt;
  for (absl::string_view part : absl::StrSplit(word.text, ',')) {
    const std::pair<std::string, std::string> ends =
        absl::StrSplit(part, absl::MaxSplits('-', 1));
    const bool one = !absl::StrContains(part, '-');
    uint64_t first = 0, last = 0;
    if (!absl::SimpleAtoi(ends.first, &first) ||
        !absl::SimpleAtoi(one ? ends.first : ends.second, &last) ||
        first > last || last >= kNodesMax) {
      return LineError{
          word.column,
          absl::StrCat("'", word.text,
                       "' are no nodes: write a list such as 0,2-3 of numbers "
                       "below ",
                       kNodesMax, ", none, or - for no mask")};
    }
    if (out->size() <= last / kBits) out->resize(last / kBits + 1);
    for (uint64_t node = first; node <= last; ++node) {
      (*out)[node / kBits] |= uint64_t{1} << node % kBits;
    }
  }
  return std::nullopt;
}

MaybeError ParseGfp(const Word& word, std::vector<std::string>* out) {
  for (const Word& part : SplitAtBars(word)) {
    if (!GfpNames().Find(part.text)) return UnknownName(part, GfpNames());
    out->push_back(part.text);
  }
  return std::nullopt;
}

}  // namespace faultline::scenario
