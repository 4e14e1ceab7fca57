// The small language of the strace tests: text in, one line per record out.

#ifndef FAULTLINE_TESTS_CLIENT_STRACE_DESCRIBE_H_
#define FAULTLINE_TESTS_CLIENT_STRACE_DESCRIBE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "client/cli/strace/diagnostics.h"
#include "client/cli/strace/record.h"

namespace faultline::strace {

struct Reading {
  std::vector<Record> records;
  std::vector<Diagnostic> diagnostics;
  Totals totals;
  Verdict verdict;
};

// Reads all of it, and checks what holds for every reading: each line counts
// once. ReadFile also checks that no task has a record before the clone that
// made it.
Reading ReadText(const std::string& text);
Reading ReadFile(const std::filesystem::path& path);

// "100 mmap = 0x7f00", "100 brk = ENOMEM", "100 exit_group = ?",
// "100 SIGSEGV SEGV_MAPERR 0x10", "100 exited 3", "100 killed SIGSEGV core" …
std::string Describe(const Record& record);
std::vector<std::string> Describe(const std::vector<Record>& records);

// "12: reason"
std::vector<std::string> Describe(const std::vector<Diagnostic>& diagnostics);

// The recordings under tests/traces; tests run in the root of the tree.
std::filesystem::path TracesDirectory();
std::string FileText(const std::filesystem::path& path);

}  // namespace faultline::strace

#endif  // FAULTLINE_TESTS_CLIENT_STRACE_DESCRIBE_H_
