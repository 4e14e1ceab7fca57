// How an import writes calls and results: as strace does.

#ifndef FAULTLINE_CLIENT_CLI_IMPORT_TEXT_H_
#define FAULTLINE_CLIENT_CLI_IMPORT_TEXT_H_

#include <string>

#include "client/cli/strace/record.h"
#include "faultline/v1/outcome.pb.h"

namespace faultline::cli {

// "munmap(0x7ffff7fb3000, 49791)".
std::string CallText(const strace::Syscall& call);
// "0x7ffff7fc0000", "0", "-1 ENOMEM".
std::string RecordedText(const strace::Result& result);
std::string OursText(const v1::Outcome& outcome);

// A whole file; empty when it cannot be read.
std::string ReadText(const std::string& path);

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_IMPORT_TEXT_H_
