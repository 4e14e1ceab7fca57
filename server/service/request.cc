#include "server/service/request.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/codec/errors.h"
#include "server/codec/outcome.h"
#include "server/codec/status_macros.h"
#include "server/codec/utf8.h"
#include "server/grading/exercise.h"
#include "server/limits.h"

namespace faultline {
namespace {

constexpr char kPrefix[] = "sessions/";

constexpr char kParticipants[] = "/participants/";

bool IsIdChar(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
}

// The last part of a resource name.
bool IsId(absl::string_view id) {
  return !id.empty() && id.size() <= limits::kResourceIdBytesMax &&
         absl::ascii_islower(id.front()) && id.back() != '-' &&
         std::all_of(id.begin(), id.end(), IsIdChar);
}

absl::Status CheckId(absl::string_view field, absl::string_view noun,
                     absl::string_view id) {
  if (IsId(id)) return absl::OkStatus();
  return errors::InvalidField(
      field,
      absl::StrCat(noun, " is called by 1 to ", limits::kResourceIdBytesMax,
                   " of a-z, 0-9 and -, first a letter, last no -"));
}

std::string TokenHead(absl::string_view kind, absl::string_view scope) {
  return absl::StrCat(kind, "\n", scope, "\n");
}

}  // namespace

absl::Status CheckSize(const google::protobuf::MessageLite& request) {
  return CheckSize(request.ByteSizeLong());
}

absl::Status CheckSize(size_t bytes) {
  if (bytes <= limits::kRequestBytesMax) return absl::OkStatus();
  return errors::RequestTooLarge(bytes, limits::kRequestBytesMax);
}

absl::StatusOr<std::string> SessionIdOf(const std::string& session) {
  if (session.empty()) {
    return errors::MissingField(
        "session", "is required: the name of a session, sessions/{session}");
  }
  absl::string_view id = session;
  if (!absl::ConsumePrefix(&id, kPrefix)) {
    return errors::InvalidField(
        "session",
        "must be a name of the form sessions/{session}, as "
        "CreateSession and ListSessions return it");
  }
  const absl::Status status = CheckSessionId("session", id);
  if (!status.ok()) return status;
  return std::string(id);
}

std::string SessionName(absl::string_view id) {
  return absl::StrCat(kPrefix, id);
}

absl::Status CheckSessionId(absl::string_view field, absl::string_view id) {
  return CheckId(field, "a session", id);
}

absl::Status CheckParticipantId(absl::string_view field, absl::string_view id) {
  return CheckId(field, "a participant", id);
}

absl::StatusOr<SnapshotIds> SnapshotIdsOf(const std::string& snapshot) {
  if (snapshot.empty()) {
    return errors::MissingField("snapshot",
                                "is required: the name of a snapshot, "
                                "sessions/{session}/snapshots/{snapshot}");
  }
  const std::vector<std::string> parts = absl::StrSplit(snapshot, '/');
  if (parts.size() != 4 || parts[0] != "sessions" || parts[2] != "snapshots" ||
      !IsId(parts[1]) || !IsId(parts[3])) {
    return errors::InvalidField(
        "snapshot",
        "must be a name of the form sessions/{session}/snapshots/{snapshot}, "
        "as CreateSnapshot and ListSnapshots return it");
  }
  return SnapshotIds{parts[1], parts[3]};
}

absl::Status CheckSnapshotId(absl::string_view field, absl::string_view id) {
  return CheckId(field, "a snapshot", id);
}

absl::Status CheckDisplayName(absl::string_view display_name) {
  if (display_name.size() <= limits::kDisplayNameBytesMax) {
    return absl::OkStatus();
  }
  return errors::InvalidField(
      "display_name",
      absl::StrCat("has ", display_name.size(), " bytes: at most ",
                   limits::kDisplayNameBytesMax));
}

absl::StatusOr<ParticipantPath> ParticipantPathOf(absl::string_view field,
                                                  const std::string& name) {
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, kPrefix)) {
    const size_t end = rest.find(kParticipants);
    if (end != absl::string_view::npos) {
      const absl::string_view session = rest.substr(0, end);
      rest.remove_prefix(end + sizeof(kParticipants) - 1);
      FL_RETURN_IF_ERROR(CheckSessionId(field, session));
      FL_RETURN_IF_ERROR(CheckParticipantId(field, rest));
      return ParticipantPath{std::string(session), std::string(rest)};
    }
  }
  constexpr char kForm[] =
      "a name of the form sessions/{session}/participants/{participant}, as "
      "JoinSession returns it";
  if (name.empty()) {
    return errors::MissingField(field, absl::StrCat("is required: ", kForm));
  }
  return errors::InvalidField(field, absl::StrCat("must be ", kForm));
}

absl::StatusOr<std::string> ExerciseIdOf(const std::string& exercise) {
  if (exercise.empty()) {
    return errors::MissingField("exercise",
                                "is required: the name of an exercise, "
                                "exercises/{exercise}");
  }
  const std::vector<std::string> parts = absl::StrSplit(exercise, '/');
  if (parts.size() != 2 || parts[0] != "exercises" || !IsId(parts[1])) {
    return errors::InvalidField(
        "exercise",
        "must be a name of the form exercises/{exercise}, as CreateExercise "
        "and ListExercises return it");
  }
  return parts[1];
}

absl::StatusOr<AttemptIds> AttemptIdsOf(const std::string& attempt) {
  if (attempt.empty()) {
    return errors::MissingField("attempt",
                                "is required: the name of an attempt, "
                                "exercises/{exercise}/attempts/{attempt}");
  }
  const std::vector<std::string> parts = absl::StrSplit(attempt, '/');
  if (parts.size() != 4 || parts[0] != "exercises" || parts[2] != "attempts" ||
      !IsId(parts[1]) || !IsId(parts[3])) {
    return errors::InvalidField(
        "attempt",
        "must be a name of the form exercises/{exercise}/attempts/{attempt}, "
        "as StartAttempt returns it");
  }
  return AttemptIds{parts[1], parts[3]};
}

absl::Status CheckStudentField(const std::string& student) {
  if (student.empty()) {
    return errors::MissingField("student",
                                "is required: who it is, for example an "
                                "address");
  }
  const absl::Status status = grading::CheckStudent(student);
  return status.ok() ? status
                     : errors::InvalidField("student", status.message());
}

absl::Status CheckRequestId(absl::string_view field,
                            absl::string_view request_id) {
  const bool ok = request_id.size() <= limits::kRequestIdBytesMax &&
                  std::all_of(request_id.begin(), request_id.end(),
                              [](char c) { return absl::ascii_isgraph(c); });
  if (ok) return absl::OkStatus();
  return errors::InvalidField(
      field,
      absl::StrCat("must be at most ", limits::kRequestIdBytesMax,
                   " printable ASCII characters without spaces, for example a "
                   "UUID"));
}

absl::Status CheckRevision(absl::string_view field, int64_t revision) {
  if (revision >= 0) return absl::OkStatus();
  return errors::InvalidField(
      field, absl::StrCat(revision, " is no revision: 0 or more"));
}

absl::StatusOr<ExecuteOptions> OptionsOf(const v1::CallOptions& proto,
                                         absl::string_view id,
                                         absl::string_view peer) {
  constexpr char kParticipant[] = "options.participant";
  ExecuteOptions options;
  if (proto.participant().empty()) {
    options.peer = std::string(peer);
  } else {
    FL_ASSIGN_OR_RETURN(ParticipantPath path,
                        ParticipantPathOf(kParticipant, proto.participant()));
    if (path.session != id) {
      return errors::InvalidField(
          kParticipant, absl::StrCat("is in ", SessionName(path.session),
                                     ", this call is for ", SessionName(id)));
    }
    options.participant = std::move(path.participant);
  }
  FL_RETURN_IF_ERROR(CheckRequestId("options.request_id", proto.request_id()));
  options.request_id = proto.request_id();
  if (proto.has_expected_revision()) {
    FL_RETURN_IF_ERROR(
        CheckRevision("options.expected_revision", proto.expected_revision()));
    options.expected_revision = proto.expected_revision();
  }
  FL_ASSIGN_OR_RETURN(options.event_level,
                      EventLevelFromProto(proto.event_level()));
  return options;
}

std::string PeerOf(absl::string_view peer_uri) {
  if (!absl::StrContains(peer_uri, '%')) return ToUtf8(peer_uri);
  std::string peer;
  for (size_t i = 0; i < peer_uri.size(); ++i) {
    const absl::string_view hex = peer_uri.substr(i + 1, 2);
    if (peer_uri[i] == '%' && hex.size() == 2 && absl::ascii_isxdigit(hex[0]) &&
        absl::ascii_isxdigit(hex[1])) {
      peer += absl::HexStringToBytes(hex);
      i += 2;
    } else {
      peer.push_back(peer_uri[i]);
    }
  }
  return ToUtf8(peer);
}

absl::StatusOr<int> PageSize(int32_t asked, int size_default, int size_max) {
  if (asked < 0) {
    return errors::InvalidField(
        "page_size", absl::StrCat(asked, " is negative: 1 to ", size_max,
                                  ", or 0 for ", size_default));
  }
  return asked == 0 ? size_default : std::min(asked, size_max);
}

std::string PageToken(absl::string_view kind, absl::string_view scope,
                      absl::string_view cursor) {
  return absl::WebSafeBase64Escape(
      absl::StrCat(TokenHead(kind, scope), cursor));
}

absl::StatusOr<std::string> PageCursor(absl::string_view token,
                                       absl::string_view kind,
                                       absl::string_view scope) {
  if (token.empty()) return std::string();
  std::string text;
  absl::string_view cursor;
  if (token.size() <= limits::kPageTokenBytesMax &&
      absl::WebSafeBase64Unescape(token, &text)) {
    cursor = text;
    if (absl::ConsumePrefix(&cursor, TokenHead(kind, scope)) &&
        !cursor.empty()) {
      return std::string(cursor);
    }
  }
  return errors::InvalidField(
      "page_token",
      "was not returned for this request: leave it empty to start again, and "
      "keep the other fields the same from page to page");
}

}  // namespace faultline
