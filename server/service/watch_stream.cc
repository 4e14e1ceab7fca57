#include "server/service/watch_stream.h"

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/event.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/service/request.h"
#include "server/service/status.h"

namespace faultline {
namespace {

// The bytes live as long as gRPC needs them.
grpc::Slice SliceOf(const SharedBytes& bytes) {
  auto* holder = new SharedBytes(bytes);
  return grpc::Slice(
      const_cast<char*>(bytes->data()), bytes->size(),  // it only reads them
      [](void* held) { delete static_cast<SharedBytes*>(held); }, holder);
}

absl::StatusOr<v1::WatchEventsRequest> Parse(const grpc::ByteBuffer& buffer) {
  if (buffer.Length() > limits::kRequestBytesMax) {
    return errors::RequestTooLarge(buffer.Length(), limits::kRequestBytesMax);
  }
  grpc::Slice slice;
  v1::WatchEventsRequest request;
  if (!buffer.DumpToSingleSlice(&slice).ok() ||
      !request.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return errors::InvalidField("request", "is no WatchEventsRequest");
  }
  return request;
}

absl::Status CheckCount(const char* field, int count, int count_max) {
  if (count <= count_max) return absl::OkStatus();
  return errors::InvalidField(
      field, absl::StrCat("has ", count, " entries: at most ", count_max));
}

absl::StatusOr<EventFilter::Kinds> KindsOf(
    const v1::WatchEventsRequest& request) {
  FL_RETURN_IF_ERROR(
      CheckCount("kinds", request.kinds_size(), limits::kWatchKindsMax));
  if (request.kinds().empty()) return EventFilter::kAllKinds;
  EventFilter::Kinds kinds = 0;
  for (int i = 0; i < request.kinds_size(); ++i) {
    const absl::optional<size_t> kind = EventKindOf(request.kinds(i));
    if (!kind) {
      return errors::InvalidField(
          absl::StrCat("kinds[", i, "]"),
          "is no kind of event: the kinds are the names of Event's fields, for "
          "example fault_resolved");
    }
    kinds |= EventFilter::Kinds{1} << *kind;
  }
  return kinds;
}

absl::StatusOr<int64_t> RevisionOf(const char* field, int64_t revision) {
  if (revision >= 1) return revision;
  return errors::InvalidField(
      field, absl::StrCat(revision, " is no command's revision: 1 or more"));
}

}  // namespace

absl::StatusOr<WatchRequest> WatchRequestOf(
    const v1::WatchEventsRequest& request) {
  WatchRequest watch;
  if (request.has_start_revision()) {
    FL_ASSIGN_OR_RETURN(watch.start,
                        RevisionOf("start_revision", request.start_revision()));
  }
  if (request.has_end_revision()) {
    FL_ASSIGN_OR_RETURN(watch.end,
                        RevisionOf("end_revision", request.end_revision()));
    if (watch.start && *watch.end < *watch.start) {
      return errors::InvalidField(
          "end_revision",
          absl::StrCat(*watch.end, " is before start_revision, ",
                       *watch.start));
    }
  }
  FL_RETURN_IF_ERROR(
      CheckCount("pids", request.pids_size(), limits::kWatchPidsMax));
  EventFilter& filter = watch.filter;
  filter.pids.assign(request.pids().begin(), request.pids().end());
  std::sort(filter.pids.begin(), filter.pids.end());
  FL_ASSIGN_OR_RETURN(filter.kinds, KindsOf(request));
  FL_ASSIGN_OR_RETURN(
      filter.level, EventLevelFromProto(request.event_level(), "event_level"));
  filter.commands = request.include_commands();
  return watch;
}

WatchStream* WatchStream::Start(SessionTable& table, DrainList& drain,
                                grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer& request) {
  auto stream = std::shared_ptr<WatchStream>(new WatchStream(drain, context));
  stream->self_ = stream;
  const auto open = [&]() -> absl::Status {
    FL_ASSIGN_OR_RETURN(const v1::WatchEventsRequest message, Parse(request));
    FL_ASSIGN_OR_RETURN(const std::string id, SessionIdOf(message.session()));
    FL_ASSIGN_OR_RETURN(WatchRequest watch, WatchRequestOf(message));
    stream->watcher_ = table.Watch(id, std::move(watch), stream);
    return absl::OkStatus();
  };
  absl::Status status = open();
  if (!status.ok()) stream->End(std::move(status));
  drain.Add(stream.get());
  return stream.get();
}

WatchStream::WatchStream(DrainList& drain, grpc::CallbackServerContext* context)
    : drain_(drain), context_(context) {}

void WatchStream::Send(std::vector<SharedBytes> parts) {
  std::vector<grpc::Slice> slices;
  slices.reserve(parts.size());
  for (const SharedBytes& part : parts) slices.push_back(SliceOf(part));
  grpc::ByteBuffer message(slices.data(), slices.size());
  absl::MutexLock lock(&mutex_);
  if (status_) return;
  message_.Swap(&message);
  writing_ = true;
  StartWrite(&message_);
}

void WatchStream::End(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  if (!status_) status_ = std::move(status);
  FinishIfDone();
}

void WatchStream::FinishIfDone() {
  if (writing_ || finished_ || !status_) return;
  finished_ = true;
  Finish(ToGrpc(*status_));
}

void WatchStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    message_.Clear();
    FinishIfDone();
  }
  if (ok) return watcher_->Sent();
  watcher_->Stop(errors::Cancelled());
}

void WatchStream::OnCancel() {
  if (watcher_ != nullptr) watcher_->Stop(errors::Cancelled());
}

// Who does not read would keep the server from stopping.
void WatchStream::Drain() {
  if (watcher_ != nullptr) watcher_->Stop(errors::ShuttingDown());
  absl::MutexLock lock(&mutex_);
  if (!writing_) return;
  patience_.Set(std::chrono::system_clock::now() +
                    std::chrono::milliseconds(limits::kWatchDrainMillis),
                [self = shared_from_this()](bool) { self->CutOff(); });
}

// With the lock, so that gRPC keeps the context; what follows from cancelling
// it comes on other threads.
void WatchStream::CutOff() {
  absl::MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void WatchStream::OnDone() {
  drain_.Remove(this);
  {
    absl::MutexLock lock(&mutex_);
    context_ = nullptr;
  }
  patience_.Cancel();
  self_.reset();
}

}  // namespace faultline
