#include "client/cpp/look.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cpp/stubs.h"

namespace faultline::client {
namespace {

constexpr uint64_t kPartMax = uint64_t{1} << 20;
// Of a file that is read whole: /proc/1/pagemap has 256 GiB.
constexpr uint64_t kWholeMax = uint64_t{256} << 20;

std::string ErrnoName(v1::Errno error) {
  constexpr absl::string_view kPrefix = "ERRNO_";
  const std::string name = v1::Errno_Name(error);
  return name.size() > kPrefix.size() ? name.substr(kPrefix.size())
                                      : absl::StrCat("errno ", error);
}

}  // namespace

absl::StatusOr<std::string> Look::ReadProc(absl::string_view path) const {
  // A file of numbers is read by words.
  absl::StatusOr<std::string> bytes =
      ReadProcAt(path, 0, kWholeMax + sizeof(uint64_t));
  if (bytes.ok() && bytes->size() > kWholeMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": EFBIG (it has more than ", kWholeMax >> 20,
                     " MiB: read a part of it, from an offset on)"));
  }
  return bytes;
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

template <class Rpc, class Request, class Response>
absl::Status Look::Ask(Rpc rpc, Request& request, Response* response) const {
  request.set_session(session_);
  if (at_revision_) request.set_at_revision(*at_revision_);
  return connection_->Call(at_revision_ ? kLongDeadline : kDefaultDeadline,
                           Repeat::kYes, [&](grpc::ClientContext& context) {
                             return (connection_->stubs().inspect.*rpc)(
                                 &context, request, response);
                           });
}

template <class Response, class Rpc, class Request, class Add>
absl::StatusOr<Response> Look::AskParts(Rpc rpc, Request request,
                                        Add add) const {
  Response whole;
  while (true) {
    Response part;
    absl::Status status = Ask(rpc, request, &part);
    if (!status.ok()) return status;
    add(part, &whole);
    if (part.next_page_token().empty()) return whole;
    request.set_page_token(part.next_page_token());
    // The past stands still by itself.
    if (!at_revision_) request.set_expected_revision(part.revision());
  }
}

absl::StatusOr<v1::MmStruct> Look::Mm(uint32_t pid) const {
  v1::GetMmRequest request;
  request.set_pid(pid);
  v1::GetMmResponse response;
  absl::Status status =
      Ask(&v1::InspectService::StubInterface::GetMm, request, &response);
  if (!status.ok()) return status;
  return response.mm();
}

absl::StatusOr<v1::GetVmaTreeResponse> Look::VmaTree(uint32_t pid) const {
  v1::GetVmaTreeRequest request;
  request.set_pid(pid);
  return AskParts<v1::GetVmaTreeResponse>(
      &v1::InspectService::StubInterface::GetVmaTree, request,
      [](const v1::GetVmaTreeResponse& part, v1::GetVmaTreeResponse* whole) {
        whole->set_revision(part.revision());
        *whole->mutable_tree() = part.tree();
        whole->mutable_nodes()->MergeFrom(part.nodes());
      });
}

absl::StatusOr<v1::ListChunksResponse> Look::Chunks(uint32_t pid) const {
  v1::ListChunksRequest request;
  request.set_pid(pid);
  return AskParts<v1::ListChunksResponse>(
      &v1::InspectService::StubInterface::ListChunks, request,
      [](const v1::ListChunksResponse& part, v1::ListChunksResponse* whole) {
        whole->set_revision(part.revision());
        *whole->mutable_heap() = part.heap();
        whole->mutable_chunks()->MergeFrom(part.chunks());
      });
}

absl::StatusOr<v1::GetPageCacheResponse> Look::PageCache(
    absl::string_view path) const {
  v1::GetPageCacheRequest request;
  request.set_path(std::string(path));
  return PageCacheOf(request);
}

absl::StatusOr<v1::GetPageCacheResponse> Look::PageCache(uint64_t inode) const {
  v1::GetPageCacheRequest request;
  request.set_inode(inode);
  return PageCacheOf(request);
}

absl::StatusOr<v1::GetPageCacheResponse> Look::PageCacheOf(
    const v1::GetPageCacheRequest& request) const {
  return AskParts<v1::GetPageCacheResponse>(
      &v1::InspectService::StubInterface::GetPageCache, request,
      [](const v1::GetPageCacheResponse& part,
         v1::GetPageCacheResponse* whole) {
        whole->set_revision(part.revision());
        *whole->mutable_mapping() = part.mapping();
        whole->mutable_pages()->MergeFrom(part.pages());
      });
}

absl::StatusOr<v1::ListSlabsResponse> Look::Slabs() const {
  return AskParts<v1::ListSlabsResponse>(
      &v1::InspectService::StubInterface::ListSlabs, v1::ListSlabsRequest(),
      [](const v1::ListSlabsResponse& part, v1::ListSlabsResponse* whole) {
        whole->set_revision(part.revision());
        whole->mutable_caches()->MergeFrom(part.caches());
      });
}

absl::StatusOr<v1::GetLruResponse> Look::Lru(absl::string_view list) const {
  v1::GetLruRequest request;
  request.set_lru(std::string(list));
  return AskParts<v1::GetLruResponse>(
      &v1::InspectService::StubInterface::GetLru, request,
      [](const v1::GetLruResponse& part, v1::GetLruResponse* whole) {
        v1::GetLruResponse all = part;
        all.clear_next_page_token();
        all.mutable_pages()->Swap(whole->mutable_pages());
        all.mutable_pages()->MergeFrom(part.pages());
        whole->Swap(&all);
      });
}

absl::StatusOr<v1::ListSwapsResponse> Look::Swaps() const {
  v1::ListSwapsRequest request;
  v1::ListSwapsResponse response;
  absl::Status status =
      Ask(&v1::InspectService::StubInterface::ListSwaps, request, &response);
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::ReadProcResponse> Look::ReadPart(
    const v1::ReadProcRequest& request) const {
  v1::ReadProcResponse response;
  absl::Status status =
      connection_->Call(at_revision_ ? kLongDeadline : kDefaultDeadline,
                        Repeat::kYes, [&](grpc::ClientContext& context) {
                          return connection_->stubs().inspect.ReadProc(
                              &context, request, &response);
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
