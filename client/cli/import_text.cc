#include "client/cli/import_text.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace faultline::cli {

std::string CallText(const strace::Syscall& call) {
  return absl::StrCat(call.name, "(", absl::StrJoin(call.arguments, ", "), ")");
}

std::string RecordedText(const strace::Result& result) {
  if (result.kind == strace::Result::Kind::kError) {
    return absl::StrCat("-1 ", result.error_name);
  }
  if (result.value < 10) return absl::StrCat(result.value);
  return absl::StrFormat("0x%x", result.value);
}

std::string OursText(const v1::Outcome& outcome) {
  if (outcome.no_process()) return "no such process";
  if (outcome.error() != v1::ERRNO_UNSPECIFIED) {
    const std::string name = v1::Errno_Name(outcome.error());
    return absl::StrCat("-1 ", absl::StripPrefix(name, "ERRNO_"));
  }
  if (outcome.value() >= 0 && outcome.value() < 10) {
    return absl::StrCat(outcome.value());
  }
  return absl::StrFormat("0x%x", static_cast<uint64_t>(outcome.value()));
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace faultline::cli
