#include "server/service/run_stream.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/codec/command.h"
#include "server/codec/errors.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/limits.h"
#include "server/service/request.h"
#include "server/service/status.h"

namespace faultline {

namespace {

grpc::ByteBuffer BufferOf(const v1::RunResponse& response) {
  grpc::ByteBuffer buffer;
  bool owned = false;
  // It only fails for what is larger than 2 GiB.
  const grpc::Status status =
      grpc::SerializationTraits<v1::RunResponse>::Serialize(response, &buffer,
                                                            &owned);
  static_cast<void>(status);
  return buffer;
}

}  // namespace

RunStream* RunStream::Start(SessionTable& table, DrainList& drain,
                            std::string peer) {
  auto stream =
      std::shared_ptr<RunStream>(new RunStream(table, drain, std::move(peer)));
  stream->self_ = stream;
  drain.Add(stream.get());
  stream->Advance();
  return stream.get();
}

RunStream::RunStream(SessionTable& table, DrainList& drain, std::string peer)
    : table_(table), drain_(drain), peer_(std::move(peer)) {}

void RunStream::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    read_all_ = true;
    if (status_.ok()) status_ = errors::ShuttingDown();
  }
  Advance();
}

void RunStream::OnCancel() {
  cancelled_ = true;
  {
    absl::MutexLock lock(&mutex_);
    read_all_ = true;
    Fail(errors::Cancelled());
  }
  Advance();
}

// The server may be gone before the session lets go of its last answer, so the
// list of what to drain is left here and not in the destructor.
void RunStream::OnDone() {
  drain_.Remove(this);
  self_.reset();
}

void RunStream::OnReadDone(bool ok) {
  Request request = ok ? Received(incoming_) : Request();
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (!ok) {
      read_all_ = true;
    } else if (!read_all_) {
      requests_.push_back(std::move(request));
    }
  }
  Advance();
}

RunStream::Request RunStream::Received(const grpc::ByteBuffer& buffer) {
  Request request;
  const absl::Status size = CheckSize(buffer.Length());
  if (!size.ok()) {
    request.parts = size;
    return request;
  }
  auto bytes = std::make_unique<grpc::Slice>();
  grpc::Status status = buffer.TrySingleSlice(bytes.get());
  if (!status.ok()) status = buffer.DumpToSingleSlice(bytes.get());
  request.parts =
      status.ok()
          ? TakeBatchApart(
                {reinterpret_cast<const char*>(bytes->begin()), bytes->size()})
          : absl::InternalError(status.error_message());
  request.bytes = std::move(bytes);
  return request;
}

void RunStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    responses_.pop_front();
    if (!ok) Fail(errors::Cancelled());
  }
  Advance();
}

void RunStream::Advance() {
  while (true) {
    Request request;
    int64_t number;
    {
      absl::MutexLock lock(&mutex_);
      ReadNext();
      WriteNext();
      if (!MaySubmit()) return FinishIfDone();
      request = std::move(requests_.front());
      requests_.pop_front();
      number = batch_ + static_cast<int64_t>(batches_.size());
      Batch& batch = batches_.emplace_back();
      batch.commands = request.commands();
      batch.packed = request.parts.ok() && request.parts->head.packed();
      commands_ += batch.commands;
      submitting_ = true;
    }
    Execute(number, request);
    absl::MutexLock lock(&mutex_);
    submitting_ = false;
  }
}

// Together the batches must not be more than a session takes.
bool RunStream::MaySubmit() const {
  if (submitting_ || requests_.empty()) return false;
  return batches_.empty() || commands_ + requests_.front().commands() <=
                                 limits::kQueuedCommandsPerSessionMax;
}

void RunStream::ReadNext() {
  const size_t in_flight =
      requests_.size() + batches_.size() + responses_.size();
  if (reading_ || read_all_ || in_flight >= limits::kBatchesInFlightMax) return;
  reading_ = true;
  incoming_.Clear();
  StartRead(&incoming_);
}

void RunStream::WriteNext() {
  if (writing_ || finished_ || responses_.empty()) return;
  writing_ = true;
  outgoing_ = BufferOf(responses_.front());
  StartWrite(&outgoing_);
}

void RunStream::FinishIfDone() {
  if (finished_ || !read_all_ || submitting_ || writing_ || !batches_.empty() ||
      !responses_.empty()) {
    return;
  }
  finished_ = true;
  Finish(ToGrpc(status_));
}

// What was read after the batch at fault is not executed.
void RunStream::Fail(absl::Status status) {
  requests_.clear();
  read_all_ = true;
  if (cancelled_ && !writing_) responses_.clear();
  if (!status_.ok() && errors::ReasonOf(status_) != "SHUTTING_DOWN") return;
  errors::AddMetadata(status, "batch", absl::StrCat(batch_));
  status_ = std::move(status);
}

absl::StatusOr<std::string> RunStream::SessionOf(const v1::RunRequest& head) {
  if (session_.empty()) return SessionIdOf(head.session());
  if (head.session().empty() || head.session() == SessionName(session_)) {
    return session_;
  }
  return errors::InvalidField(
      "session", absl::StrCat("must be empty or ", SessionName(session_),
                              ", as in the stream's first request"));
}

void RunStream::Execute(int64_t number, const Request& request) {
  absl::Status refused =
      failed_at_ < number ? errors::Cancelled() : Submit(number, request);
  if (!refused.ok()) Executed(number, std::move(refused));
}

absl::Status RunStream::Submit(int64_t number, const Request& request) {
  FL_RETURN_IF_ERROR(request.parts.status());
  const v1::RunRequest& head = request.parts->head;
  FL_ASSIGN_OR_RETURN(session_, SessionOf(head));
  FL_ASSIGN_OR_RETURN(ExecuteOptions options,
                      OptionsOf(head.options(), session_, peer_));
  FL_ASSIGN_OR_RETURN(std::vector<Command> commands,
                      CommandsFromBytes(request.parts->commands));
  options.cancelled = [self = self_, number] {
    return self->cancelled_ || self->failed_at_ < number;
  };
  table_.ExecuteBatch(
      session_, std::move(commands), std::move(options),
      [self = self_, number](absl::StatusOr<BatchResult> result) {
        self->Executed(number, std::move(result));
      },
      {request.parts->commands.begin(), request.parts->commands.end()});
  return absl::OkStatus();
}

void RunStream::Executed(int64_t number, absl::StatusOr<BatchResult> result) {
  {
    absl::MutexLock lock(&mutex_);
    if (!result.ok()) failed_at_ = std::min(failed_at_.load(), number);
    batches_[static_cast<size_t>(number - batch_)].result = std::move(result);
    AnswerInOrder();
  }
  Advance();
}

void RunStream::AnswerInOrder() {
  for (; !batches_.empty() && batches_.front().result; ++batch_) {
    const Batch batch = std::move(batches_.front());
    batches_.pop_front();
    commands_ -= batch.commands;
    if (!(*batch.result).ok()) {
      Fail(batch.result->status());
      continue;
    }
    for (v1::RunResponse& response :
         RunResponses(batch_, (*batch.result)->revision, batch.packed,
                      (*batch.result)->outcomes)) {
      responses_.push_back(std::move(response));
    }
  }
}

std::vector<v1::RunResponse> RunResponses(
    int64_t batch, int64_t revision, bool packed,
    const std::vector<Outcome>& outcomes) {
  constexpr size_t kPlainBytes = 50;  // no more, in the columns
  std::vector<v1::RunResponse> responses;
  int64_t at = revision - static_cast<int64_t>(outcomes.size());
  size_t bytes = limits::kChunkBytes;
  for (const Outcome& outcome : outcomes) {
    const bool plain = packed && IsPlain(outcome);
    v1::Outcome whole;
    if (!plain) OutcomeToProto(outcome, &whole);
    const size_t size = plain ? kPlainBytes : whole.ByteSizeLong();
    if (bytes + size > limits::kChunkBytes) {
      responses.emplace_back().set_batch(batch);
      bytes = 0;
    }
    bytes += size;
    responses.back().set_revision(++at);
    if (packed) {
      AppendPacked(outcome, responses.back().mutable_packed());
    } else {
      *responses.back().add_outcomes() = std::move(whole);
    }
  }
  for (v1::RunResponse& response : responses) {
    if (packed) FinishPacked(response.mutable_packed());
  }
  responses.back().set_last(true);
  return responses;
}

}  // namespace faultline
