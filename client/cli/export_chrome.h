// A trace as Chrome's JSON trace events, which most viewers read.

#ifndef FAULTLINE_CLIENT_CLI_EXPORT_CHROME_H_
#define FAULTLINE_CLIENT_CLI_EXPORT_CHROME_H_

#include <memory>

#include "client/cli/trace_sink.h"

namespace faultline::cli {

// A sink that makes {"traceEvents":[…]}, one event a line. Times are in
// microseconds with three decimals, as the format wants them.
std::unique_ptr<TraceSink> MakeChromeSink();

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_EXPORT_CHROME_H_
