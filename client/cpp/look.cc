#include "client/cpp/look.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace faultline::client {
namespace {

constexpr uint64_t kPartMax = uint64_t{1} << 20;

std::string ErrnoName(v1::Errno error) {
  constexpr absl::string_view kPrefix = "ERRNO_";
  const std::string name = v1::Errno_Name(error);
  return name.size() > kPrefix.size() ? name.substr(kPrefix.size())
                                      : absl::StrCat("errno ", error);
}

}  // namespace

absl::StatusOr<std::string> Look::ReadProc(absl::string_view path) const {
  constexpr uint64_t kEverything = ~uint64_t{0};
  return ReadProcAt(path, 0, kEverything);
}

absl::StatusOr<std::string> Look::ReadProcAt(absl::string_view path,
                                             uint64_t offset,
                                             uint64_t length) const {
  std::string bytes;
  v1::ReadProcRequest request;
  request.set_session(session_);
  if (at_revision_) request.set_at_revision(*at_revision_);
  request.set_path(std::string(path));
  request.set_offset(static_cast<int64_t>(offset));
  while (bytes.size() < length) {
    request.set_length(static_cast<int32_t>(
        std::min<uint64_t>(length - bytes.size(), kPartMax)));
    absl::StatusOr<v1::ReadProcResponse> response = ReadPart(request);
    if (!response.ok()) return response.status();
    bytes += response->has_text() ? response->text() : response->data();
    if (response->next_offset() == 0) break;
    request.set_offset(response->next_offset());
    // The past stands still by itself.
    if (!at_revision_) request.set_expected_revision(response->revision());
  }
  return bytes;
}

absl::StatusOr<v1::ReadProcResponse> Look::ReadPart(
    const v1::ReadProcRequest& request) const {
  v1::ReadProcResponse response;
  absl::Status status = connection_->Call(
      at_revision_ ? kLongDeadline : kDefaultDeadline, Repeat::kYes,
      [&](grpc::ClientContext& context) {
        return connection_->inspect().ReadProc(&context, request, &response);
      });
  if (!status.ok()) return status;
  // A server that does not know at_revision answers with what is now.
  if (at_revision_ && response.revision() != *at_revision_) {
    return absl::UnimplementedError(absl::StrCat(
        "the server at ", connection_->address(), " cannot look at revision ",
        *at_revision_, " of ", session_, ": it is older than this client"));
  }
  if (response.error() != v1::ERRNO_UNSPECIFIED) {
    return absl::NotFoundError(
        absl::StrCat(request.path(), ": ", ErrnoName(response.error()),
                     " (the simulated kernel has no such file or process)"));
  }
  return response;
}

}  // namespace faultline::client
