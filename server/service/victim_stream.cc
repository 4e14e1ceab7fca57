#include "server/service/victim_stream.h"

#include <chrono>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "server/codec/errors.h"
#include "server/codec/replacement.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/service/request.h"
#include "server/service/status.h"

namespace faultline {
namespace {

bool MayGo(const VictimWanted& wanted, uint64_t victim) {
  constexpr uint64_t kPageShift = 12;
  return absl::c_any_of(wanted.frames, [victim](const ReplacementFrame& frame) {
    return frame.addr >> kPageShift == victim >> kPageShift;
  });
}

}  // namespace

std::shared_ptr<VictimStream> VictimStreams::Find(const Process& process) {
  absl::MutexLock lock(&mutex_);
  const auto found = streams_.find(process);
  return found == streams_.end() ? nullptr : found->second;
}

bool VictimStreams::Add(const Process& process,
                        std::shared_ptr<VictimStream> stream) {
  absl::MutexLock lock(&mutex_);
  return streams_.try_emplace(process, std::move(stream)).second;
}

void VictimStreams::Remove(const Process& process) {
  absl::MutexLock lock(&mutex_);
  streams_.erase(process);
}

VictimStream* VictimStream::Start(VictimStreams& streams, DrainList& drain,
                                  grpc::CallbackServerContext& context) {
  auto stream =
      std::shared_ptr<VictimStream>(new VictimStream(streams, drain, context));
  stream->self_ = stream;
  drain.Add(stream.get());
  stream->StartRead(&stream->incoming_);
  return stream.get();
}

void VictimStream::Ask(int64_t revision, VictimWanted wanted, Answer answer) {
  {
    absl::MutexLock lock(&mutex_);
    if (!status_) {
      questions_.push_back({revision, std::move(wanted), std::move(answer)});
      return WriteNext();
    }
  }
  answer(errors::Cancelled());
}

void VictimStream::WriteNext() {
  if (writing_ || waiting_ || status_ || questions_.empty()) return;
  outgoing_.Clear();
  outgoing_.set_revision(questions_.front().revision);
  VictimWantedToProto(questions_.front().wanted, outgoing_.mutable_wanted());
  writing_ = waiting_ = true;
  const int64_t question = ++asked_;
  patience_ = std::make_unique<grpc::Alarm>();
  patience_->Set(std::chrono::system_clock::now() +
                     std::chrono::seconds(limits::kVictimSecondsMax),
                 [self = self_, question](bool expired) {
                   if (expired) self->TooLate(question);
                 });
  StartWrite(&outgoing_);
}

void VictimStream::OnReadDone(bool ok) {
  if (!ok) return End(absl::OkStatus());
  if (!process_) {
    absl::Status status = Open();
    if (!status.ok()) return End(std::move(status));
  } else {
    Answered();
  }
  absl::MutexLock lock(&mutex_);
  if (!status_) StartRead(&incoming_);
}

absl::Status VictimStream::Open() {
  FL_ASSIGN_OR_RETURN(const std::string session,
                      SessionIdOf(incoming_.session()));
  if (incoming_.pid() == 0) {
    return errors::MissingField("pid", "the process; the first is 1");
  }
  VictimStreams::Process process(session, incoming_.pid());
  {
    absl::MutexLock lock(&mutex_);
    writing_ = true;  // a question or an end goes behind the metadata
  }
  if (!streams_.Add(process, self_)) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    FinishIfDone();
    return errors::VictimStreamExists(SessionName(session), incoming_.pid());
  }
  process_ = std::move(process);
  // Now it is the policy. Not every client can tell metadata without an entry
  // from an end without metadata.
  context_.AddInitialMetadata("faultline-process",
                              absl::StrCat(incoming_.pid()));
  StartSendInitialMetadata();
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  WriteNext();
  FinishIfDone();
  return absl::OkStatus();
}

void VictimStream::Answered() {
  Answer answer;
  const uint64_t victim = incoming_.victim();
  {
    absl::MutexLock lock(&mutex_);
    if (status_) return;
    if (waiting_ && MayGo(questions_.front().wanted, victim)) {
      answer = std::move(questions_.front().answer);
      questions_.pop_front();
      waiting_ = false;
      patience_->Cancel();
      WriteNext();
    }
  }
  if (answer) return answer(victim);
  End(errors::InvalidField(
      "victim", absl::StrCat("0x", absl::Hex(victim),
                             " is not in one of the frames that may go")));
}

void VictimStream::TooLate(int64_t question) {
  {
    absl::MutexLock lock(&mutex_);
    if (!waiting_ || asked_ != question) return;
  }
  End(errors::VictimTooLate(limits::kVictimSecondsMax));
}

void VictimStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) WriteNext();
    FinishIfDone();
  }
  if (!ok) End(errors::Cancelled());
}

void VictimStream::OnCancel() { End(errors::Cancelled()); }

void VictimStream::Drain() { End(errors::ShuttingDown()); }

void VictimStream::End(absl::Status status) {
  std::deque<Question> open;
  {
    absl::MutexLock lock(&mutex_);
    if (status_) return;
    status_ = std::move(status);
    open.swap(questions_);
    if (patience_) patience_->Cancel();
    FinishIfDone();
  }
  for (Question& question : open) question.answer(errors::Cancelled());
}

void VictimStream::FinishIfDone() {
  if (writing_ || finished_ || !status_) return;
  finished_ = true;
  // Before the client knows of the end, and may begin again.
  if (process_) streams_.Remove(*process_);
  Finish(ToGrpc(*status_));
}

void VictimStream::OnDone() {
  drain_.Remove(this);
  self_.reset();
}

}  // namespace faultline
