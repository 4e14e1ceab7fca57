// Parsers of the ops whose arguments have a grammar of their own.

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/scenario/suggest.h"
#include "server/scenario/words.h"

namespace faultline::scenario {
namespace {

const char* const kBootKeys[] = {
    "profile",     "personality", "ram",  "e820",      "reserved",
    "initmem",     "lowmem",      "swap", "cpus",      "kernelcore",
    "movablecore", "thp",         "seed", "slub_debug"};

MaybeError OneOf(const Word& value, const char* key,
                 const std::vector<std::string>& allowed, std::string* out) {
  if (std::find(allowed.begin(), allowed.end(), value.text) == allowed.end()) {
    return LineError{value.column,
                     absl::StrCat("unknown ", key, " '", value.text, "' (",
                                  absl::StrJoin(allowed, ", "), ")",
                                  DidYouMean(value.text, allowed))};
  }
  *out = value.text;
  return std::nullopt;
}

MaybeError OptionalNumber(const Word& value, std::optional<uint64_t>* out) {
  uint64_t number = 0;
  if (MaybeError error = ParseNumberWord(value, &number)) return error;
  *out = number;
  return std::nullopt;
}

// ZONE:PAGES,ZONE:PAGES
MaybeError ParseZonePages(const Word& value,
                          std::vector<std::pair<std::string, uint64_t>>* rows) {
  int column = value.column;
  for (absl::string_view part : absl::StrSplit(value.text, ',')) {
    const std::vector<std::string> pair = absl::StrSplit(part, ':');
    uint64_t pages = 0;
    if (pair.size() != 2 || pair[0].empty()) {
      return LineError{column, absl::StrCat("'", part,
                                            "' is not ZONE:PAGES, such as "
                                            "DMA32:2048")};
    }
    const Word number{pair[1], column + static_cast<int>(pair[0].size()) + 1};
    if (MaybeError error = ParseNumberWord(number, &pages)) return error;
    rows->emplace_back(pair[0], pages);
    column += static_cast<int>(part.size()) + 1;
  }
  return std::nullopt;
}

// "vm.swappiness" and "swappiness" are the same knob. A dotted name of another
// family passes: the machine knows whether it has it.
MaybeError SysctlName(const Word& word, bool or_boot_key, std::string* out) {
  absl::string_view name = word.text;
  absl::ConsumePrefix(&name, "vm.");
  const std::vector<std::string>& known = SysctlNames();
  const bool foreign = absl::StrContains(name, ".");
  if (!foreign && std::find(known.begin(), known.end(), name) == known.end()) {
    std::vector<std::string> candidates = known;
    if (or_boot_key) {
      candidates.insert(candidates.end(), std::begin(kBootKeys),
                        std::end(kBootKeys));
    }
    return LineError{
        word.column,
        absl::StrCat("unknown ", or_boot_key ? "boot key" : "knob", " '",
                     word.text, "'", DidYouMean(name, candidates))};
  }
  *out = std::string(name);
  return std::nullopt;
}

MaybeError BootPair(const Word& key, const Word& value, Boot* boot) {
  const std::string& k = key.text;
  if (k == "profile") {
    return OneOf(value, "profile", {"x86_64", "i386", "i386-nopae"},
                 &boot->profile);
  }
  if (k == "personality") {
    return OneOf(value, "personality", {"linux-6.18", "linux-6.1"},
                 &boot->personality);
  }
  if (k == "thp") {
    return OneOf(value, "thp", {"always", "madvise", "never"}, &boot->thp);
  }
  if (k == "ram") return OptionalNumber(value, &boot->ram_bytes);
  if (k == "swap") return OptionalNumber(value, &boot->swap_bytes);
  if (k == "cpus") return OptionalNumber(value, &boot->cpus);
  if (k == "seed") return OptionalNumber(value, &boot->seed);
  if (k == "lowmem") return OptionalNumber(value, &boot->lowmem_bytes);
  if (k == "reserved") return ParseZonePages(value, &boot->reserved_pages);
  if (k == "initmem") return ParseZonePages(value, &boot->initmem_pages);
  if (k == "kernelcore" || k == "movablecore") {
    (k == "kernelcore" ? boot->kernelcore : boot->movablecore) = value.text;
    return std::nullopt;
  }
  if (k == "e820") {
    boot->e820_path = value.text;
    return std::nullopt;
  }
  if (k == "slub_debug") {
    boot->sysctls[k] = value.text;
    return std::nullopt;
  }
  std::string name;
  if (MaybeError error = SysctlName(key, true, &name)) return error;
  boot->sysctls[name] = value.text;
  return std::nullopt;
}

const char* const kComparisonWords[] = {
    "==", "!=", "<", "<=", ">", ">=", "contains", "lacks"};

std::optional<Comparison> FindComparison(const std::string& word) {
  for (size_t i = 0; i < std::size(kComparisonWords); ++i) {
    if (word == kComparisonWords[i]) return static_cast<Comparison>(i);
  }
  return std::nullopt;
}

const std::vector<std::string>& OutcomeSubjects() {
  static const auto& subjects = *new std::vector<std::string>{
      "ok",  "ret",  "err",   "val",        "sig",        "code", "addr",
      "min", "maj",  "child", "exited",     "died",       "skip", "fetchfault",
      "vec", "vmas", "cat",   "tlb_misses", "table_loads"};
  return subjects;
}

MaybeError CheckSubject(const Word& word) {
  for (const char* family : {"event.", "status.", "meminfo.", "vmstat."}) {
    if (absl::StartsWith(word.text, family) &&
        word.text.size() > std::string(family).size()) {
      return std::nullopt;
    }
  }
  const auto& known = OutcomeSubjects();
  if (std::find(known.begin(), known.end(), word.text) != known.end()) {
    return std::nullopt;
  }
  return LineError{word.column,
                   absl::StrCat("unknown subject '", word.text, "' (",
                                absl::StrJoin(known, ", "),
                                ", event.NAME, status.FIELD, meminfo.FIELD, "
                                "vmstat.FIELD, smaps.FIELD@ADDR, flags@ADDR, "
                                "page@ADDR)",
                                DidYouMean(word.text, known))};
}

// The names that a subject's value may have, or nullptr.
const NameTable* ValueNames(const std::string& subject) {
  if (subject == "err") return &ErrnoNames();
  if (subject == "sig" || subject == "died") return &SignalNames();
  if (subject == "code") return &SignalCodes();
  return nullptr;
}

// expect cat PATH contains|lacks TEXT ...
MaybeError ParseExpectCat(const std::vector<Word>& words, Op* op) {
  std::optional<Comparison> comparison;
  if (words.size() >= 4) comparison = FindComparison(words[2].text);
  if (!comparison || *comparison < Comparison::kContains) {
    return LineError{words.size() >= 3 ? words[2].column : words[0].column,
                     "expected: expect cat PATH contains|lacks TEXT"};
  }
  op->expect.path = words[1].text;
  op->expect.comparison = *comparison;
  std::vector<std::string> text;
  for (size_t i = 3; i < words.size(); ++i) text.push_back(words[i].text);
  op->expect.text = absl::StrJoin(text, " ");
  return std::nullopt;
}

// "smaps.Rss@$a+1p" or "flags@0x1000": splits off the address.
MaybeError ParseVmaSubject(const Word& word, Expectation* expect) {
  const size_t at = word.text.find('@');
  expect->subject = word.text.substr(0, at);
  return ParseExprWord(
      {word.text.substr(at + 1), word.column + static_cast<int>(at) + 1},
      &expect->addr);
}

bool IsVmaSubject(const std::string& text) {
  const size_t at = text.find('@');
  if (at == std::string::npos || at + 1 == text.size()) return false;
  const std::string name = text.substr(0, at);
  return name == "flags" || name == "page" ||
         (absl::StartsWith(name, "smaps.") && at > 6);
}

// expect SUBJECT COMPARISON TEXT, for the two that are compared as text.
MaybeError ParseExpectText(const std::vector<Word>& words, bool contains,
                           Op* op) {
  std::optional<Comparison> comparison;
  if (words.size() == 3) comparison = FindComparison(words[1].text);
  const bool fits =
      comparison && (contains ? *comparison >= Comparison::kContains
                              : *comparison <= Comparison::kNe);
  if (!fits) {
    return LineError{
        words.size() > 1 ? words[1].column : words[0].column,
        absl::StrCat("expected: expect ", words[0].text,
                     contains ? " contains|lacks FLAG" : " ==|!= DIGITS")};
  }
  op->expect.comparison = *comparison;
  op->expect.text = words[2].text;
  return std::nullopt;
}

}  // namespace

MaybeError ParseBoot(const std::vector<Word>& words, Op* op) {
  for (const Word& word : words) {
    const size_t equals = word.text.find('=');
    if (equals == std::string::npos || equals == 0 ||
        equals + 1 == word.text.size()) {
      return LineError{word.column, absl::StrCat("expected key=value, found '",
                                                 word.text, "'")};
    }
    const Word key{word.text.substr(0, equals), word.column};
    const Word value{word.text.substr(equals + 1),
                     word.column + static_cast<int>(equals) + 1};
    if (MaybeError error = BootPair(key, value, &op->boot)) return error;
  }
  return std::nullopt;
}

MaybeError ParseFile(const std::vector<Word>& words, Op* op) {
  if (words.size() < 2 || words.size() > 3) {
    return UsageError(
        *FindOp("file"), op->column,
        words.size() < 2 ? "too few arguments" : "too many arguments");
  }
  FileDeclaration& file = op->file;
  if (MaybeError error = ParseNumberWord(words[0], &file.number)) return error;
  if (file.number > 999) {
    return LineError{words[0].column, "a file's number is at most 999"};
  }
  Expr size;
  if (MaybeError error = ParseExprWord(words[1], &size)) return error;
  if (!size.IsConstant()) {
    return LineError{words[1].column,
                     "a file's size is a number: no call has run yet"};
  }
  file.size_bytes = ConstantValue(size);
  if (words.size() < 3) return std::nullopt;
  for (size_t i = 0; i < words[2].text.size(); ++i) {
    switch (words[2].text[i]) {
      case 'r':
        file.mode = FileDeclaration::Mode::kReadOnly;
        break;
      case 'w':
        file.mode = FileDeclaration::Mode::kWriteOnly;
        break;
      case 'h':
        file.hole = true;
        break;
      case 'c':
        file.cold = true;
        break;
      case 'm':
        file.memfd = true;
        break;
      case 'd':
        file.disk = true;
        break;
      default:
        return LineError{
            words[2].column + static_cast<int>(i),
            absl::StrCat("'", words[2].text,
                         "' is not letters of "
                         "r (read-only), w (write-only), h (hole), "
                         "c (not cached), m (memfd), d (on a disk)")};
    }
  }
  if (file.memfd && (file.cold || file.disk ||
                     file.mode != FileDeclaration::Mode::kReadWrite)) {
    return LineError{words[2].column,
                     "a file of memfd_create (m) is open for reading and "
                     "writing, and in memory"};
  }
  return std::nullopt;
}

MaybeError ParseImage(const std::vector<Word>& words, Op* op) {
  if (words.empty() || words[0].text[0] != '/') {
    return LineError{words.empty() ? op->column : words[0].column,
                     "expected the absolute path of an image, such as "
                     "/bin/gonzo"};
  }
  ImageDeclaration& image = op->image;
  image.path = words[0].text;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::vector<std::string> pair =
        absl::StrSplit(words[i].text, absl::MaxSplits('=', 1));
    const std::string& key = pair[0];
    const Word value{pair.size() > 1 ? pair[1] : "",
                     words[i].column + static_cast<int>(key.size()) + 1};
    if (value.text.empty()) {
      return LineError{
          words[i].column,
          absl::StrCat("expected key=value, found '", words[i].text, "'")};
    }
    std::string type;
    std::optional<uint64_t> number;
    MaybeError error;
    if (key == "interp") {
      image.interpreter = value.text;
      continue;
    }
    if (key == "type") {
      error = OneOf(value, "type", {"exec", "dyn"}, &type);
      image.movable = type == "dyn";
    } else {
      error = OptionalNumber(value, &number);
    }
    if (error) return error;
    if (key == "text") image.text_bytes = *number;
    if (key == "data") image.data_bytes = *number;
    if (key == "bss") image.bss_bytes = *number;
    if (key == "file") image.number = *number;
    const std::vector<std::string> known = {"text",   "data", "bss",
                                            "interp", "type", "file"};
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return LineError{words[i].column, absl::StrCat("unknown key '", key, "'",
                                                     DidYouMean(key, known))};
    }
  }
  return std::nullopt;
}

MaybeError ParseExec(const std::vector<Word>& words, Op* op) {
  if (words.empty()) {
    return UsageError(*FindOp("exec"), op->column, "too few arguments");
  }
  const char first = words[0].text[0];
  if ((first >= '0' && first <= '9') || first == '$') {
    op->kind = OpKind::kFetch;
    if (words.size() > 1) {
      return UsageError(*FindOp("fetch"), words[1].column,
                        "too many arguments");
    }
    return ParseExprWord(words[0], &op->addr);
  }
  for (const Word& word : words) op->words.push_back(word.text);
  return std::nullopt;
}

MaybeError ParseSysctl(const std::vector<Word>& words, Op* op) {
  if (words.empty()) {
    return UsageError(*FindOp("sysctl"), op->column, "too few arguments");
  }
  std::vector<std::string> parts;
  for (const Word& word : words) parts.push_back(word.text);
  const std::vector<std::string> pair = absl::StrSplit(
      absl::StrJoin(parts, " "), absl::MaxSplits(absl::ByAnyChar("= "), 1));
  std::string name;
  const Word name_word{pair[0], words[0].column};
  if (MaybeError error = SysctlName(name_word, false, &name)) return error;
  op->words = {name};
  if (pair.size() > 1) {
    op->words.emplace_back(absl::StripAsciiWhitespace(pair[1]));
  }
  return std::nullopt;
}

MaybeError ParseDump(const std::vector<Word>& words, Op* op) {
  if (words.size() != 1) {
    return UsageError(*FindOp("dump"), op->column,
                      words.empty() ? "too few arguments"
                                    : "too many arguments (join the parts by "
                                      "commas, without blanks)");
  }
  DumpParts& dump = op->dump;
  int column = words[0].column;
  for (absl::string_view part : absl::StrSplit(words[0].text, ',')) {
    if (part == "all") {
      dump = {true, true, true, true};
    } else if (part == "maps") {
      dump.maps = true;
    } else if (part == "smaps") {
      dump.smaps = true;
    } else if (part == "pagemap") {
      dump.pagemap = true;
    } else if (part == "status") {
      dump.status = true;
    } else {
      return LineError{column,
                       absl::StrCat("unknown part of a dump '", part, "'",
                                    DidYouMean(part, {"all", "maps", "smaps",
                                                      "pagemap", "status"}))};
    }
    column += static_cast<int>(part.size()) + 1;
  }
  return std::nullopt;
}

MaybeError ParseExpect(const std::vector<Word>& words, Op* op) {
  if (words.empty()) {
    return UsageError(*FindOp("expect"), op->column, "too few arguments");
  }
  Expectation& expect = op->expect;
  expect.subject = words[0].text;
  if (IsVmaSubject(words[0].text)) {
    if (MaybeError error = ParseVmaSubject(words[0], &expect)) return error;
    if (expect.subject == "flags" || expect.subject == "page") {
      return ParseExpectText(words, true, op);
    }
  } else if (MaybeError error = CheckSubject(words[0])) {
    return error;
  }
  if (expect.subject == "vec") return ParseExpectText(words, false, op);
  if (expect.subject == "cat") return ParseExpectCat(words, op);
  if (expect.subject == "ok") {
    if (words.size() == 1) return std::nullopt;
    return LineError{words[1].column, "'expect ok' takes nothing after it"};
  }
  size_t next = 1;
  if (words.size() == 3) {
    const auto comparison = FindComparison(words[1].text);
    if (!comparison || *comparison >= Comparison::kContains) {
      return LineError{words[1].column,
                       absl::StrCat("'", words[1].text,
                                    "' is not a comparison (== != < <= > >=)")};
    }
    expect.comparison = *comparison;
    next = 2;
  } else if (words.size() != 2) {
    return UsageError(
        *FindOp("expect"), op->column,
        words.size() < 2 ? "too few arguments" : "too many arguments");
  }
  const NameTable* names = ValueNames(expect.subject);
  if (names == nullptr) return ParseExprWord(words[next], &expect.value);
  Term term;
  if (MaybeError error = ParseOneName(words[next], *names, &term.value)) {
    return error;
  }
  term.column = words[next].column;
  expect.value.terms = {term};
  expect.value.column = term.column;
  return std::nullopt;
}

}  // namespace faultline::scenario
