// Reads a Perfetto trace as a viewer would: from the wire format up, with a
// table of field numbers of its own, and checks the rules that a trace must
// keep. Shares no code with what writes it.

#ifndef FAULTLINE_TESTS_CLIENT_CLI_TRACE_READER_H_
#define FAULTLINE_TESTS_CLIENT_CLI_TRACE_READER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace faultline::cli {

struct ReadTrack {
  uint64_t uuid = 0;
  uint64_t parent = 0;
  std::string name;
  int64_t pid = 0;  // of a process or thread track
  int64_t tid = 0;  // of a thread track
  std::string process_name;
  bool counter = false;
  std::string unit;
};

struct ReadEvent {
  enum Type { kBegin = 1, kEnd = 2, kInstant = 3, kCounter = 4 };

  Type type = kBegin;
  uint64_t track = 0;
  uint64_t time = 0;
  std::string name;
  std::string category;
  int64_t value = 0;  // of a counter
  // Name -> value as text; a pointer in hexadecimal.
  std::map<std::string, std::string> annotations;
  std::vector<uint64_t> flows;
  std::vector<uint64_t> ending_flows;
};

struct ReadTrace {
  std::map<uint64_t, ReadTrack> tracks;
  std::vector<ReadEvent> events;

  const ReadTrack& TrackOf(const ReadEvent& event) const {
    return tracks.at(event.track);
  }
  // The events of that name.
  std::vector<ReadEvent> Named(const std::string& name) const;
};

// INVALID_ARGUMENT tells the first rule that is broken: bytes that are no
// message; a packet without the sequence id or its flags; a name that was not
// interned or was interned twice; an event on a track that was not described,
// or of the wrong kind; a slice that ends before it began or never; time that
// runs backwards on a track.
absl::StatusOr<ReadTrace> ReadPerfetto(const std::string& bytes);

}  // namespace faultline::cli

#endif  // FAULTLINE_TESTS_CLIENT_CLI_TRACE_READER_H_
