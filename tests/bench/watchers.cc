#include "tests/bench/watchers.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/stubs.h"
#include "tests/bench/driver.h"
#include "tests/bench/or_die.h"

namespace faultline::bench {
namespace {

constexpr size_t kWatchers = 1000;
constexpr size_t kConnections = 10;
constexpr uint64_t kPages = 4096;
constexpr int kAreasPerRound = 2;
constexpr double kCallsPerRound = kAreasPerRound * (kPages + 2);
constexpr double kWantedRatio = 1.25;  // 0.8 of the rate without watchers

// How far each watcher is, as the server says it. Thread-safe.
class Progress {
 public:
  void Set(size_t watcher, int64_t revision) {
    absl::MutexLock lock(&mutex_);
    if (at_[watcher] < wanted_ && revision >= wanted_) --behind_;
    at_[watcher] = revision;
  }
  void AwaitAll(int64_t revision) {
    absl::MutexLock lock(&mutex_);
    wanted_ = revision;
    behind_ = std::count_if(at_.begin(), at_.end(),
                            [&](int64_t at) { return at < revision; });
    mutex_.Await(absl::Condition(
        +[](ptrdiff_t* behind) { return *behind == 0; }, &behind_));
  }

 private:
  absl::Mutex mutex_;
  std::vector<int64_t> at_ ABSL_GUARDED_BY(mutex_) =
      std::vector<int64_t>(kWatchers, -1);
  int64_t wanted_ ABSL_GUARDED_BY(mutex_) = 0;
  ptrdiff_t behind_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Watcher final : public grpc::ClientReadReactor<v1::WatchEventsResponse> {
 public:
  Watcher(client::Connection& connection, const std::string& session,
          size_t number, Progress& progress)
      : number_(number), progress_(progress) {
    request_.set_session(session);
    request_.set_include_commands(true);
    request_.set_event_level(v1::EVENT_LEVEL_FAULTS);
    connection.stubs().history.async()->WatchEvents(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }

  void Stop() {
    stopping_ = true;
    context_.TryCancel();
    done_.Wait();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    progress_.Set(number_, response_.revision());
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    if (!stopping_)
      Die(absl::StrCat("a watch ended: ", status.error_message()));
    done_.DecrementCount();
  }

  const size_t number_;
  Progress& progress_;
  grpc::ClientContext context_;
  v1::WatchEventsRequest request_;
  v1::WatchEventsResponse response_;
  std::atomic<bool> stopping_{false};
  absl::BlockingCounter done_{1};
};

// A server with a session and its driver.
class Lab {
 public:
  Lab()
      : server_("faultline", {"serve", "--listen", "127.0.0.1:0", "--data",
                              absl::StrCat(scratch_.path(), "/data")}),
        driver_(OrDie(OrDie(client::Client::Connect(server_.address()))
                          .CreateSession({}))) {}

  // The time of a call.
  double Round() {
    double time = 0;
    for (int i = 0; i < kAreasPerRound; ++i) {
      time += driver_.FaultInOneByOne(kPages);
    }
    return time / kCallsPerRound;
  }

  const ServerProcess& server() const { return server_; }
  client::Session& session() { return driver_.session(); }

 private:
  const ScratchDirectory scratch_;
  const ServerProcess server_;
  Driver driver_;
};

class WatchersBench {
 public:
  WatchersBench() {
    for (size_t i = 0; i < kConnections; ++i) {
      connections_.push_back(
          std::make_unique<client::Connection>(watched_.server().address()));
    }
    for (size_t i = 0; i < kWatchers; ++i) {
      watchers_.push_back(
          std::make_unique<Watcher>(*connections_[i % kConnections],
                                    watched_.session().name(), i, progress_));
    }
    progress_.AwaitAll(0);
  }
  ~WatchersBench() {
    for (const auto& watcher : watchers_) watcher->Stop();
  }

  double Ours() { return watched_.Round(); }
  double Reference() {
    watched_.server().Pause();
    const double time = unwatched_.Round();
    watched_.server().Resume();
    return time;
  }
  // None of them was left out.
  void AwaitFirstChangeOfAll() { progress_.AwaitAll(1); }

 private:
  Lab watched_;
  Lab unwatched_;
  Progress progress_;
  std::vector<std::unique_ptr<client::Connection>> connections_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

}  // namespace

Comparison CompareWatchers(const ComparisonLimits& limits) {
  WatchersBench bench;
  Comparison result = Compare(
      kWatchersName, "ns/call", kWantedRatio, [&] { return bench.Ours(); },
      [&] { return bench.Reference(); }, limits);
  bench.AwaitFirstChangeOfAll();
  return result;
}

}  // namespace faultline::bench
