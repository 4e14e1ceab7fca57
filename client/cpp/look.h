// Looks into the machine of a session, without changing it and without a trace
// in its history.
//
//   lab->ReadProc("/proc/1/maps");           // as it is
//   lab->At(5).ReadProc("/proc/1/maps");     // as it was after revision 5

#ifndef FAULTLINE_CLIENT_CPP_LOOK_H_
#define FAULTLINE_CLIENT_CPP_LOOK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/cpp/connection.h"

namespace faultline::client {

// The machine as it is, or as it was after one revision. Cheap to copy;
// thread-safe.
//
// The past can be looked at of a closed session too; it may take a replay, so
// such a call has kLongDeadline. OUT_OF_RANGE: the session has no such revision
// yet. UNIMPLEMENTED: the server is too old to look back.
class Look {
 public:
  // `session` is "sessions/lab-1"; `at_revision` absent: as it is.
  Look(std::shared_ptr<Connection> connection, std::string session,
       absl::optional<int64_t> at_revision)
      : connection_(std::move(connection)),
        session_(std::move(session)),
        at_revision_(at_revision) {}

  // A /proc file, whole, read at one revision. NOT_FOUND when the simulated
  // kernel has none of that name; the message says what it answered.
  // INVALID_ARGUMENT: it has more than 256 MiB, as /proc/1/pagemap has.
  absl::StatusOr<std::string> ReadProc(absl::string_view path) const;
  // A part of it: `length` bytes from `offset` on, fewer at the end.
  absl::StatusOr<std::string> ReadProcAt(absl::string_view path,
                                         uint64_t offset,
                                         uint64_t length) const;

  // The mm_struct of a process: every field that 2.6.32 had. NOT_FOUND when
  // there is no such process.
  absl::StatusOr<v1::MmStruct> Mm(uint32_t pid) const;
  // The red-black tree of its VMAs, whole, read at one revision.
  absl::StatusOr<v1::GetVmaTreeResponse> VmaTree(uint32_t pid) const;
  // Its heap with every chunk, read at one revision.
  absl::StatusOr<v1::ListChunksResponse> Chunks(uint32_t pid) const;
  // The page cache of a file, by its name or its inode number, with every
  // cached page, read at one revision. NOT_FOUND when there is no such file.
  absl::StatusOr<v1::GetPageCacheResponse> PageCache(
      absl::string_view path) const;
  absl::StatusOr<v1::GetPageCacheResponse> PageCache(uint64_t inode) const;
  // The caches of the slab allocator, all of them, read at one revision.
  absl::StatusOr<v1::ListSlabsResponse> Slabs() const;
  // The LRU lists, with every page of the one that is named
  // ("inactive_file" …; "": of none), read at one revision. INVALID_ARGUMENT:
  // there is no such list.
  absl::StatusOr<v1::GetLruResponse> Lru(absl::string_view list = "") const;
  // The swap areas.
  absl::StatusOr<v1::ListSwapsResponse> Swaps() const;

 private:
  // Asks an rpc of InspectService, a pointer to a member of its stub, at the
  // revision of this look.
  template <class Rpc, class Request, class Response>
  absl::Status Ask(Rpc rpc, Request& request, Response* response) const;
  // The same, part after part; the response is the last with what `add` takes
  // from those before it.
  template <class Response, class Rpc, class Request, class Add>
  absl::StatusOr<Response> AskParts(Rpc rpc, Request request, Add add) const;
  absl::StatusOr<v1::GetPageCacheResponse> PageCacheOf(
      const v1::GetPageCacheRequest& request) const;
  absl::StatusOr<v1::ReadProcResponse> ReadPart(
      const v1::ReadProcRequest& request) const;

  std::shared_ptr<Connection> connection_;
  std::string session_;
  absl::optional<int64_t> at_revision_;
};

}  // namespace faultline::client

#endif  // FAULTLINE_CLIENT_CPP_LOOK_H_
