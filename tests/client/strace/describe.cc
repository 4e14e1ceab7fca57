#include "tests/client/strace/describe.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <variant>

#include "client/cli/strace/reader.h"

namespace faultline::strace {
namespace {

std::string Hex(uint64_t value) {
  std::ostringstream out;
  out << std::showbase << std::hex << value;
  return out.str();
}

std::string DescribeResult(const Syscall& call) {
  const Result& result = call.result;
  switch (result.kind) {
    case Result::Kind::kError:
      return result.error_name;
    case Result::Kind::kUnknown:
      return result.error_name.empty() ? "?" : "? " + result.error_name;
    case Result::Kind::kValue:
      break;
  }
  constexpr uint64_t kSmall = 4194304;
  const std::string value =
      result.value <= kSmall ? std::to_string(result.value) : Hex(result.value);
  return result.path.empty() ? value : value + " " + result.path;
}

struct Describer {
  std::string operator()(const Syscall& call) const {
    return call.name + " = " + DescribeResult(call);
  }
  std::string operator()(const Signal& signal) const {
    std::string text = signal.name;
    if (!signal.code.empty()) text += " " + signal.code;
    if (signal.address.has_value()) text += " " + Hex(*signal.address);
    return text;
  }
  std::string operator()(const Stopped& stopped) const {
    return "stopped " + stopped.signal;
  }
  std::string operator()(const Exited& exited) const {
    return "exited " + std::to_string(exited.status);
  }
  std::string operator()(const Killed& killed) const {
    return "killed " + killed.signal + (killed.core_dumped ? " core" : "");
  }
  std::string operator()(const Superseded& superseded) const {
    return "superseded by " + std::to_string(superseded.by);
  }
  std::string operator()(const Detached&) const { return "detached"; }
};

// The task that a record makes.
std::optional<Pid> MadeBy(const Record& record) {
  const auto* call = std::get_if<Syscall>(&record.event);
  if (call == nullptr || !CreatesTask(call->name) || !call->result.ok()) {
    return std::nullopt;
  }
  return static_cast<Pid>(call->result.value);
}

void CheckChildrenAfterClones(const Reading& reading) {
  std::set<Pid> seen;
  for (const Record& record : reading.records) {
    if (const std::optional<Pid> child = MadeBy(record)) {
      EXPECT_EQ(seen.count(*child), 0U)
          << "task " << *child << " before the clone of line " << record.line;
    }
    seen.insert(record.pid);
    if (std::holds_alternative<Exited>(record.event) ||
        std::holds_alternative<Killed>(record.event)) {
      seen.erase(record.pid);
    }
  }
}

Reading ReadStream(std::istream& in) {
  Reader reader(in);
  Reading reading;
  while (std::optional<Record> record = reader.Next()) {
    reading.records.push_back(std::move(*record));
  }
  EXPECT_FALSE(reader.Next().has_value());
  reading.diagnostics = reader.diagnostics().kept();
  reading.totals = reader.diagnostics().totals();
  reading.verdict = reader.verdict();
  const Totals& t = reading.totals;
  EXPECT_EQ(t.lines, t.used + t.skipped + t.blank);
  EXPECT_LE(reading.diagnostics.size(), Diagnostics::kKeptMax);
  EXPECT_EQ(reading.verdict.usable(), reading.verdict.message.empty());
  return reading;
}

}  // namespace

Reading ReadText(const std::string& text) {
  std::istringstream in(text);
  return ReadStream(in);
}

Reading ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << path;
  Reading reading = ReadStream(in);
  CheckChildrenAfterClones(reading);
  return reading;
}

std::string Describe(const Record& record) {
  return std::to_string(record.pid) + " " +
         std::visit(Describer(), record.event);
}

std::vector<std::string> Describe(const std::vector<Record>& records) {
  std::vector<std::string> lines;
  for (const Record& record : records) lines.push_back(Describe(record));
  return lines;
}

std::vector<std::string> Describe(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : diagnostics) {
    lines.push_back(std::to_string(diagnostic.line) + ": " + diagnostic.reason);
  }
  return lines;
}

std::filesystem::path TracesDirectory() { return "tests/traces"; }

std::string FileText(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace faultline::strace
