#include "server/grading/names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/scenario/names.h"

namespace faultline::grading {
namespace {

constexpr int64_t kSigbus = 7;
constexpr int64_t kSigsegv = 11;

struct Code {
  int64_t signal;
  int64_t code;
  const char* name;
};
// include/uapi/asm-generic/siginfo.h
constexpr Code kCodes[] = {
    {kSigsegv, 1, "SEGV_MAPERR"}, {kSigsegv, 2, "SEGV_ACCERR"},
    {kSigbus, 1, "BUS_ADRALN"},   {kSigbus, 2, "BUS_ADRERR"},
    {kSigbus, 3, "BUS_OBJERR"},   {kSigsegv, 128, "SI_KERNEL"},
};

std::string TextOf(const scenario::NameTable& names, int64_t value,
                   absl::string_view otherwise) {
  if (value == 0) return "none";
  const char* name = names.NameOf(static_cast<uint64_t>(value));
  return name != nullptr ? name : absl::StrCat(otherwise, " ", value);
}

bool IsNone(absl::string_view word) {
  return word == "NONE" || word == "OK" || word == "SUCCESS" || word == "NO" ||
         word == "0";
}

std::string Normalise(absl::string_view text) {
  return absl::AsciiStrToUpper(absl::StripAsciiWhitespace(text));
}

absl::optional<int64_t> ParseNamed(absl::string_view text,
                                   const scenario::NameTable& names,
                                   absl::string_view prefix) {
  const std::string normal = Normalise(text);
  absl::string_view word = normal;
  if (IsNone(word)) return 0;
  absl::ConsumePrefix(&word, "-");
  int64_t number = 0;
  if (absl::SimpleAtoi(word, &number) && number >= 0) return number;
  for (const std::string& name :
       {std::string(word), absl::StrCat(prefix, word)}) {
    if (const auto value = names.Find(name)) {
      return static_cast<int64_t>(*value);
    }
  }
  return absl::nullopt;
}

}  // namespace

std::string ErrnoText(int64_t error) {
  return TextOf(scenario::ErrnoNames(), error, "errno");
}

std::string SignalText(int64_t signal) {
  return TextOf(scenario::SignalNames(), signal, "signal");
}

std::string SignalCodeText(int64_t signal, int64_t code) {
  if (code == 0) return "none";
  for (const Code& known : kCodes) {
    if (known.signal == signal && known.code == code) return known.name;
  }
  return absl::StrCat("code ", code);
}

absl::optional<int64_t> ParseErrno(absl::string_view text) {
  return ParseNamed(text, scenario::ErrnoNames(), "E");
}

absl::optional<int64_t> ParseSignal(absl::string_view text) {
  return ParseNamed(text, scenario::SignalNames(), "SIG");
}

absl::optional<int64_t> ParseSegvCode(absl::string_view text) {
  const std::string word = Normalise(text);
  if (IsNone(word)) return 0;
  int64_t number = 0;
  if (absl::SimpleAtoi(word, &number)) return number;
  for (const Code& known : kCodes) {
    if (known.signal != kSigsegv) continue;
    if (word == known.name || absl::EndsWith(known.name, "_" + word)) {
      return known.code;
    }
  }
  return absl::nullopt;
}

}  // namespace faultline::grading
