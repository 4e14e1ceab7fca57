// A trace in Perfetto's own format, protobuf TrackEvents: what the Perfetto UI
// and trace_processor read best.

#ifndef FAULTLINE_CLIENT_CLI_EXPORT_PERFETTO_H_
#define FAULTLINE_CLIENT_CLI_EXPORT_PERFETTO_H_

#include <memory>

#include "client/cli/trace_sink.h"

namespace faultline::cli {

// A sink that makes a perfetto.protos.Trace. All packets are of one sequence,
// with interned names; the tracks' ids count up from 1.
std::unique_ptr<TraceSink> MakePerfettoSink();

}  // namespace faultline::cli

#endif  // FAULTLINE_CLIENT_CLI_EXPORT_PERFETTO_H_
