// A watcher, as the table of watches knows it. For the files of that table
// alone.
#ifndef FAULTLINE_SERVER_SESSION_WATCH_PLACE_H_
#define FAULTLINE_SERVER_SESSION_WATCH_PLACE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/session/watch_table.h"

namespace faultline {

// How far a watcher has come. Its fields are guarded by the table's mutex.
class WatchTable::Place : public Watcher,
                          public std::enable_shared_from_this<Place> {
 public:
  Place(WatchTable& table, absl::string_view id, WatchRequest request,
        std::shared_ptr<WatchSink> sink)
      : table(table),
        id(id),
        request(std::move(request)),
        key(this->request.filter.Key()),
        last(this->request.end.value_or(std::numeric_limits<int64_t>::max())),
        sink(std::move(sink)) {}

  void Sent() override { table.Sent(shared_from_this()); }
  void Stop(absl::Status why) override {
    table.End(shared_from_this(), std::move(why));
  }

  enum class State : uint8_t {
    kOpening,
    kSending,  // a message is on its way
    kReady,    // for a turn
    kWaiting,  // for the journal to grow
    kParked,   // for what is being derived
    kEnded,
  };

  WatchTable& table;
  const std::string id;
  const WatchRequest request;
  const std::string key;  // of the filter
  const int64_t last;

  std::shared_ptr<WatchSink> sink;
  WatchedPtr watched;
  State state = State::kOpening;
  int64_t next = 0;  // the first revision that was not looked at
  int64_t told = 0;  // the last mark of progress
  bool mark_due = false;
  absl::Time mark_time;  // of the last message, or when it was due
  std::list<PlacePtr>::iterator mark;
  std::shared_ptr<EventSegment> given;  // derived for this one
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_WATCH_PLACE_H_
