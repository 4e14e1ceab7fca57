#include "server/service/history_service.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/codec/time.h"
#include "server/codec/utf8.h"
#include "server/limits.h"
#include "server/service/progress_stream.h"
#include "server/service/watch_stream.h"
#include "server/session/replayer.h"

namespace faultline {
namespace {

constexpr char kPageKind[] = "commands";

// --- Reports to their messages.

template <class List>
void SubsystemsToProto(const FingerprintReport& report, List* list) {
  for (const Machine::SubsystemFingerprint& subsystem : report.subsystems) {
    v1::SubsystemFingerprint* proto = list->Add();
    proto->set_name(subsystem.name);
    proto->set_hash(subsystem.hash);
  }
}

v1::DivergenceKind KindOf(DivergenceKind kind) {
  switch (kind) {
    case DivergenceKind::kDifferent:
      return v1::DIVERGENCE_KIND_DIFFERENT;
    case DivergenceKind::kMissing:
      return v1::DIVERGENCE_KIND_MISSING;
    case DivergenceKind::kExtra:
      return v1::DIVERGENCE_KIND_EXTRA;
  }
  return v1::DIVERGENCE_KIND_UNSPECIFIED;
}

void DivergenceToProto(const Divergence& divergence, v1::Divergence* proto) {
  proto->set_revision(divergence.revision);
  *proto->mutable_command() = divergence.command;
  if (divergence.recorded_digest) {
    proto->set_recorded_digest(*divergence.recorded_digest);
  }
  if (divergence.outcome) {
    OutcomeToProto(*divergence.outcome, proto->mutable_outcome());
  }
  proto->set_kind(KindOf(divergence.kind));
  proto->set_text(ToUtf8(divergence.Say()));
  if (divergence.after) {
    SubsystemsToProto(*divergence.after, proto->mutable_after());
  }
}

void ReportToProto(const ReplayReport& report, v1::ReplayReport* proto) {
  proto->set_commands(report.commands);
  proto->set_equal(report.equal);
  if (report.divergence) {
    DivergenceToProto(*report.divergence, proto->mutable_first_divergence());
  }
  if (report.fingerprint) proto->set_fingerprint(report.fingerprint->total);
}

void ReportToProto(const VerifyReport& report, v1::VerifyReport* proto) {
  proto->set_ok(report.ok());
  for (const VerifyReport::Check& check : report.checks) {
    v1::Check* p = proto->add_checks();
    p->set_name(check.name);
    p->set_ok(check.ok);
    p->set_text(ToUtf8(check.text));
  }
  if (report.replay) ReportToProto(*report.replay, proto->mutable_replay());
}

// --- Streams of progress that end in a report.

// Runs `work(id, progress)`, a StatusOr of a report, on a slow worker.
template <class Response, class Request, class Work>
grpc::ServerWriteReactor<Response>* StreamReport(const ServiceContext& service,
                                                 const Request& request,
                                                 absl::Status valid,
                                                 Work work) {
  auto stream = ProgressStream<Response>::Make(service.drain);
  absl::StatusOr<std::string> id = SessionIdOf(request.session());
  if (id.ok() && !valid.ok()) id = std::move(valid);
  if (!id.ok()) {
    stream->FinishWith(id.status());
    return stream.get();
  }
  const bool accepted = service.slow.Submit([stream, id = *id, work] {
    const Progress progress = [&](int64_t done, int64_t total) {
      return stream->Report(done, total);
    };
    if (stream->stopped()) return stream->FinishWith(errors::Cancelled());
    auto report = work(id, progress);
    if (!report.ok()) return stream->FinishWith(report.status());
    Response last;
    ReportToProto(*report, last.mutable_report());
    stream->FinishWith(std::move(last));
  });
  if (!accepted) {
    stream->FinishWith(errors::WorkLimit(service.slow.queue_max()));
  }
  return stream.get();
}

// --- Pages of commands.

struct CommandsAsked {
  std::string id;
  std::string scope;  // of the page tokens
  int64_t start = 1;
  int size = 0;
};

absl::StatusOr<CommandsAsked> CommandsOf(
    const v1::ListCommandsRequest& request) {
  CommandsAsked asked;
  FL_ASSIGN_OR_RETURN(asked.id, SessionIdOf(request.session()));
  FL_ASSIGN_OR_RETURN(asked.size,
                      PageSize(request.page_size(), limits::kCommandPageDefault,
                               limits::kCommandPageMax));
  FL_RETURN_IF_ERROR(CheckRevision("start_revision", request.start_revision()));
  asked.start = std::max<int64_t>(request.start_revision(), 1);
  asked.scope = absl::StrCat(asked.id, " ", request.start_revision());
  FL_ASSIGN_OR_RETURN(const std::string cursor,
                      PageCursor(request.page_token(), kPageKind, asked.scope));
  if (!cursor.empty() && !absl::SimpleAtoi(cursor, &asked.start)) {
    return errors::InvalidField("page_token", "was not returned by this rpc");
  }
  return asked;
}

absl::Status ListCommandsOf(SessionTable& table,
                            const v1::ListCommandsRequest& request,
                            v1::ListCommandsResponse* response) {
  FL_ASSIGN_OR_RETURN(const CommandsAsked asked, CommandsOf(request));
  FL_ASSIGN_OR_RETURN(CommandPage page,
                      table.ListCommands(asked.id, asked.start, asked.size,
                                         limits::kChunkBytes));
  response->set_revision(page.revision);
  int64_t last = asked.start - 1;
  for (RecordedCommand& command : page.commands) {
    v1::JournalEntry* entry = response->add_entries();
    entry->set_revision(command.revision);
    *entry->mutable_command() = std::move(command.command);
    if (command.digest) entry->set_digest(*command.digest);
    entry->set_sender(std::move(command.sender));
    TimeToProto(command.time, entry->mutable_time());
    last = command.revision;
  }
  if (last < page.revision) {
    response->set_next_page_token(
        PageToken(kPageKind, asked.scope, absl::StrCat(last + 1)));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* HistoryServiceImpl::ListCommands(
    grpc::CallbackServerContext* context,
    const v1::ListCommandsRequest* request,
    v1::ListCommandsResponse* response) {
  return AnswerOn(context_.quick, context, request, response,
                  [this](const auto& request, auto* response) {
                    return ListCommandsOf(context_.table, request, response);
                  });
}

grpc::ServerWriteReactor<v1::ReplayResponse>* HistoryServiceImpl::Replay(
    grpc::CallbackServerContext*, const v1::ReplayRequest* request) {
  const int64_t to_revision = request->to_revision();
  return StreamReport<v1::ReplayResponse>(
      context_, *request, CheckRevision("to_revision", to_revision),
      [this, to_revision](const std::string& id, const Progress& progress) {
        return context_.table.Replay(id, to_revision, progress);
      });
}

grpc::ServerWriteReactor<v1::VerifySessionResponse>*
HistoryServiceImpl::VerifySession(grpc::CallbackServerContext*,
                                  const v1::VerifySessionRequest* request) {
  return StreamReport<v1::VerifySessionResponse>(
      context_, *request, absl::OkStatus(),
      [this](const std::string& id, const Progress& progress) {
        return context_.table.Verify(id, progress);
      });
}

grpc::ServerUnaryReactor* HistoryServiceImpl::GetFingerprint(
    grpc::CallbackServerContext* context,
    const v1::GetFingerprintRequest* request,
    v1::GetFingerprintResponse* response) {
  return AnswerOn(
      request->has_revision() ? context_.slow : context_.quick, context,
      request, response,
      [this, context](const auto& request, auto* response) -> absl::Status {
        FL_ASSIGN_OR_RETURN(const std::string id,
                            SessionIdOf(request.session()));
        absl::optional<int64_t> revision;
        if (request.has_revision()) {
          revision = request.revision();
          FL_RETURN_IF_ERROR(CheckRevision("revision", *revision));
        }
        FL_ASSIGN_OR_RETURN(
            const FingerprintReport report,
            context_.table.Fingerprint(id, revision, WhileWanted(*context)));
        response->set_revision(report.revision);
        response->set_fingerprint(report.total);
        SubsystemsToProto(report, response->mutable_subsystems());
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* HistoryServiceImpl::WatchEvents(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  return WatchStream::Start(context_.table, context_.drain, context, *request);
}

}  // namespace faultline
