#include "tests/conformance/row_lines.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/scenario/names.h"

namespace faultline::conformance {
namespace {

// Where page 0 of the window is: a multiple of 2 MiB, below everything that
// the kernel would choose itself.
constexpr uint64_t kWindow = 0x10000000;
constexpr uint64_t kPageBytes = 4096;

using Words = std::vector<std::string>;

absl::Status Bad(absl::string_view what, absl::string_view word) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": '", word, "'"));
}

std::string Hex(uint64_t value) { return absl::StrFormat("0x%x", value); }

uint64_t PageAt(uint64_t page) { return kWindow + page * kPageBytes; }

// "4-8": pages of the window, the second not included.
bool ParsePages(absl::string_view text, uint64_t* first, uint64_t* end) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  return parts.size() == 2 && absl::SimpleAtoi(parts[0], first) &&
         absl::SimpleAtoi(parts[1], end) && *first <= *end;
}

// "%4-8" is an address and a length, "%4" an address; what follows the number,
// as in "%4+1", stays.
std::string ExpandPages(const std::string& word) {
  if (word.size() < 2 || word[0] != '%') return word;
  uint64_t first = 0;
  uint64_t end = 0;
  if (ParsePages(word.substr(1), &first, &end)) {
    return absl::StrCat(Hex(PageAt(first)), " ", end - first, "p");
  }
  const size_t digits = word.find_first_not_of("0123456789", 1);
  if (!absl::SimpleAtoi(word.substr(1, digits - 1), &first)) return word;
  return absl::StrCat(Hex(PageAt(first)),
                      digits == std::string::npos ? "" : word.substr(digits));
}

// "map RANGE PROT [FLAGS] [FILE [PAGE]]": mmap there, private and anonymous
// unless told otherwise.
absl::StatusOr<std::string> ExpandMap(const Words& words) {
  if (words.size() < 2)
    return Bad("map takes RANGE PROT [FLAGS] [FILE [PAGE]]",
               absl::StrJoin(words, " "));
  size_t next = 2;
  std::string flags = "FIXED";
  if (words.size() > next && !absl::ascii_isdigit(words[next][0])) {
    absl::StrAppend(&flags, "|", words[next++]);
  }
  const bool file = words.size() > next;
  const bool typed = absl::StrContains(flags, "SHARED");
  return absl::StrCat("mmap ", words[0], " ", words[1], " ", flags,
                      typed ? "" : "|PRIVATE", file ? "" : "|ANON", " ",
                      file ? words[next] : "-", " ",
                      words.size() > next + 1 ? words[next + 1] : "0");
}

bool IsFileCall(absl::string_view op) {
  return op == "ftruncate" || op == "pwrite" || op == "pread" ||
         op == "fsync" || op == "fallocate" || op == "add_seals" ||
         op == "get_seals";
}

bool IsDeclaration(absl::string_view op) {
  return op == "file" || op == "image" || op == "boot" || op == "dump" ||
         op == "expect";
}

// The word of the op, after "@1" and "label:".
std::string OpOf(const Words& words) {
  for (const std::string& word : words) {
    if (word[0] != '@' && word.back() != ':') return word;
  }
  return "";
}

// "0-4:rw-p": this VMA, exactly.
absl::StatusOr<std::string> ExpandVma(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  uint64_t first = 0;
  uint64_t end = 0;
  if (parts.size() != 2 || !ParsePages(parts[0], &first, &end)) {
    return Bad("a VMA is written as FIRST-END:rwxp", text);
  }
  return absl::StrFormat("expect cat /proc/self/maps contains %08x-%08x %s",
                         PageAt(first), PageAt(end), parts[1]);
}

// What one word after => expects, as expect lines.
class Expectations {
 public:
  explicit Expectations(std::string op) : op_(std::move(op)) {}

  absl::Status Add(const std::string& word) {
    absl::string_view rest = word;
    if (word == "ok") return AddOutcome("ok");
    if (absl::ConsumePrefix(&rest, "SEGV/")) return AddSignal("SIGSEGV", rest);
    if (absl::ConsumePrefix(&rest, "BUS/")) return AddSignal("SIGBUS", rest);
    if (scenario::ErrnoNames().Find(word)) return AddErrno(word);
    if (absl::ConsumePrefix(&rest, "+")) return AddLine("min == ", rest);
    if (absl::ConsumePrefix(&rest, "!")) return AddLine("maj == ", rest);
    if (absl::ConsumePrefix(&rest, "vec=")) return AddLine("vec == ", rest);
    if (absl::ConsumePrefix(&rest, "vma=")) return AddVma(rest);
    if (absl::ConsumePrefix(&rest, "maps=")) return AddMaps(rest);
    for (const auto& [sign, comparison] : {std::pair{"<=", "<="},
                                           {">=", ">="},
                                           {"!=", "!="},
                                           {"=", "=="},
                                           {"<", "<"},
                                           {">", ">"}}) {
      const size_t at = word.find(sign);
      if (at != std::string::npos && at > 0) {
        return AddNamed(word.substr(0, at), comparison,
                        word.substr(at + std::string(sign).size()));
      }
    }
    return AddOutcome(
        absl::StrCat(op_ == "read" ? "val" : "ret", " == ", ExpandPages(word)));
  }

  // What a call must do that nothing is said about.
  void AddDefault() {
    if (outcome_ || op_.empty() || IsDeclaration(op_)) return;
    if (op_ == "ftruncate" || op_ == "fsync" || op_ == "fallocate" ||
        op_ == "add_seals") {
      AddLine("ret == 0", "").IgnoreError();
    } else if (op_ == "pwrite") {
      AddLine("ret == 1", "").IgnoreError();
    } else {
      AddLine("ok", "").IgnoreError();
    }
  }

  std::vector<std::string> lines;

 private:
  absl::Status AddLine(absl::string_view what, absl::string_view value) {
    lines.push_back(absl::StrCat("expect ", what, value));
    return absl::OkStatus();
  }
  absl::Status AddOutcome(absl::string_view what) {
    outcome_ = true;
    return AddLine(what, "");
  }
  absl::Status AddSignal(absl::string_view name, absl::string_view code) {
    AddLine("sig == ", name).IgnoreError();
    return AddOutcome(absl::StrCat("code == ", code));
  }
  absl::Status AddErrno(const std::string& name) {
    if (!IsFileCall(op_)) return AddOutcome(absl::StrCat("err == ", name));
    return AddOutcome(
        absl::StrCat("ret == 0-", *scenario::ErrnoNames().Find(name)));
  }
  absl::Status AddVma(absl::string_view text) {
    absl::StatusOr<std::string> line = ExpandVma(text);
    if (!line.ok()) return line.status();
    lines.push_back(*std::move(line));
    return absl::OkStatus();
  }
  // "0-4:rw-p,4-8:r--p": these and the stack are all there is.
  absl::Status AddMaps(absl::string_view text) {
    const std::vector<std::string> vmas =
        absl::StrSplit(text, ',', absl::SkipEmpty());
    for (const std::string& vma : vmas) {
      if (absl::Status added = AddVma(vma); !added.ok()) return added;
    }
    return AddLine("vmas == ", absl::StrCat(vmas.size() + 1));
  }
  // "VmLck=8", "Rss@%0=4", "flags@%0=lo" or "flags@%0!=lo", "page@%0=PE",
  // "vmas=3".
  absl::Status AddNamed(const std::string& name, const std::string& comparison,
                        const std::string& value) {
    const size_t at = name.find('@');
    if (at != std::string::npos) {
      const std::string field = name.substr(0, at);
      const std::string addr = ExpandPages(name.substr(at + 1));
      if (field == "flags" || field == "page") {
        return AddLine(
            absl::StrCat(field, "@", addr,
                         comparison == "==" ? " contains " : " lacks "),
            value);
      }
      return AddLine(
          absl::StrCat("smaps.", field, "@", addr, " ", comparison, " "),
          value);
    }
    if (name == "fetchfault" || name == "ret") outcome_ = true;
    const bool status = absl::ascii_isupper(name[0]);
    return AddLine(
        absl::StrCat(status ? "status." : "", name, " ", comparison, " "),
        ExpandPages(value));
  }

  const std::string op_;
  bool outcome_ = false;
};

// "times 3: map %{2}-{2+1} rw" is done for i = 0, 1, 2; {A+B} is A*i+B.
absl::StatusOr<std::string> Substitute(absl::string_view line, uint64_t i) {
  std::string out;
  while (!line.empty()) {
    const size_t open = line.find('{');
    absl::StrAppend(&out, line.substr(0, open));
    if (open == absl::string_view::npos) break;
    const size_t close = line.find('}', open);
    if (close == absl::string_view::npos) return Bad("} is missing", line);
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line.substr(open + 1, close - open - 1), '+');
    uint64_t times = 0;
    uint64_t plus = 0;
    if (!absl::SimpleAtoi(parts[0], &times) ||
        (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &plus))) {
      return Bad("{A} or {A+B} is expected", line);
    }
    absl::StrAppend(&out, times * i + plus);
    line.remove_prefix(close + 1);
  }
  return out;
}

absl::StatusOr<ExpandedLines> ExpandTimes(absl::string_view line) {
  const size_t colon = line.find(':');
  uint64_t count = 0;
  if (colon == absl::string_view::npos ||
      !absl::SimpleAtoi(line.substr(0, colon), &count)) {
    return Bad("times N: LINE is expected", line);
  }
  ExpandedLines all;
  for (uint64_t i = 0; i < count; ++i) {
    absl::StatusOr<std::string> one = Substitute(line.substr(colon + 1), i);
    if (!one.ok()) return one.status();
    absl::StatusOr<ExpandedLines> expanded = ExpandRowLine(*one);
    if (!expanded.ok()) return expanded;
    all.lines.insert(all.lines.end(), expanded->lines.begin(),
                     expanded->lines.end());
    all.assertions = expanded->assertions;  // it is one claim
  }
  return all;
}

}  // namespace

absl::StatusOr<ExpandedLines> ExpandRowLine(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (absl::ConsumePrefix(&line, "times ")) return ExpandTimes(line);
  const size_t arrow = line.find("=>");
  Words words = absl::StrSplit(line.substr(0, arrow), ' ', absl::SkipEmpty());
  Words expected;
  if (arrow != absl::string_view::npos) {
    expected = absl::StrSplit(line.substr(arrow + 2), ' ', absl::SkipEmpty());
  }
  ExpandedLines out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] != "map") continue;
    absl::StatusOr<std::string> map =
        ExpandMap(Words(words.begin() + static_cast<long>(i) + 1, words.end()));
    if (!map.ok()) return map.status();
    words.resize(i);
    for (absl::string_view word : absl::StrSplit(*map, ' ')) {
      words.emplace_back(word);
    }
    break;
  }
  for (std::string& word : words) word = ExpandPages(word);
  // A line of expectations alone is about the op before it.
  const std::string op = OpOf(words);
  Expectations expectations(op);
  for (const std::string& word : expected) {
    if (absl::Status added = expectations.Add(word); !added.ok()) return added;
  }
  expectations.AddDefault();
  const std::string text = absl::StrJoin(words, " ");
  if (!op.empty()) out.lines.push_back(text);
  const std::string process = op.empty() && !text.empty() ? text + " " : "";
  for (const std::string& expectation : expectations.lines) {
    out.lines.push_back(process + expectation);
  }
  out.assertions = static_cast<int>(expectations.lines.size());
  return out;
}

}  // namespace faultline::conformance
