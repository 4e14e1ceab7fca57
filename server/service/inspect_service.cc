#include "server/service/inspect_service.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/codec/mm_view.h"
#include "server/codec/page_cache_view.h"
#include "server/codec/reclaim_view.h"
#include "server/codec/replacement.h"
#include "server/codec/slab_view.h"
#include "server/codec/status_macros.h"
#include "server/codec/utf8.h"
#include "server/codec/view.h"
#include "server/limits.h"
#include "server/machine/malloc/heap_view.h"
#include "server/machine/mm/slab_common.h"
#include "server/machine/mm/vma_tree.h"
#include "server/machine/proc/proc.h"

namespace faultline {
namespace {

// --- ReadProc

absl::Status CheckReadProc(const v1::ReadProcRequest& request) {
  if (request.path().empty()) {
    return errors::MissingField("path",
                                "is required: for example /proc/1/maps");
  }
  if (request.path().size() > limits::kPathBytesMax) {
    return errors::InvalidField(
        "path", absl::StrCat("has ", request.path().size(), " bytes: at most ",
                             limits::kPathBytesMax));
  }
  if (request.offset() < 0) {
    return errors::InvalidField("offset", "is negative: 0 or more bytes");
  }
  if (request.length() < 0) {
    return errors::InvalidField("length", "is negative: 0 or more bytes");
  }
  return absl::OkStatus();
}

// Files of numbers, which are read in parts and are no text even where they
// look like one.
bool IsBinary(absl::string_view path) {
  return absl::EndsWith(path, "/pagemap") ||
         absl::EndsWith(path, "/kpagecount") ||
         absl::EndsWith(path, "/kpageflags");
}

void BinaryPart(const Kernel& k, const std::string& path, uint64_t offset,
                uint64_t length, v1::ReadProcResponse* response) {
  ErrnoOr<std::string> bytes = ReadProcAt(k, path, offset, length);
  response->set_error(static_cast<v1::Errno>(bytes.error()));
  if (!bytes.ok()) return;
  const size_t size = bytes.value().size();
  if (size == length) {
    response->set_next_offset(static_cast<int64_t>(offset + size));
  }
  response->set_data(std::move(bytes.value()));
}

void TextPart(const Kernel& k, const std::string& path, uint64_t offset,
              uint64_t length, v1::ReadProcResponse* response) {
  const ErrnoOr<std::string> text = ReadProc(k, path);
  response->set_error(static_cast<v1::Errno>(text.error()));
  if (!text.ok()) return;
  const absl::string_view whole = text.value();
  offset = std::min<uint64_t>(offset, whole.size());
  const absl::string_view part = Utf8Prefix(whole.substr(offset), length);
  if (offset + part.size() < whole.size()) {
    response->set_next_offset(static_cast<int64_t>(offset + part.size()));
  }
  if (IsUtf8(part)) {
    response->set_text(std::string(part));
  } else {
    response->set_data(std::string(part));
  }
}

absl::Status ReadProcOf(const v1::ReadProcRequest& request,
                        const MachineView& view,
                        v1::ReadProcResponse* response) {
  FL_RETURN_IF_ERROR(CheckReadProc(request));
  const uint64_t offset = static_cast<uint64_t>(request.offset());
  const uint64_t length =
      request.length() == 0
          ? limits::kChunkBytes
          : std::min<uint64_t>(static_cast<uint64_t>(request.length()),
                               limits::kChunkBytes);
  (IsBinary(request.path()) ? BinaryPart : TextPart)(
      view.machine.kernel(), request.path(), offset, length, response);
  return absl::OkStatus();
}

// --- Processes

template <class Request>
absl::StatusOr<const Mm*> MmOfRequest(const Request& request,
                                      const MachineView& view) {
  if (request.pid() == 0) {
    return errors::MissingField("pid", "is required: a process of the machine");
  }
  const Mm* mm = FindMm(view.machine.kernel(), request.pid());
  if (mm == nullptr) {
    return errors::ProcessNotFound(request.session(), request.pid());
  }
  return mm;
}

// One part of what a process has many of, in the order of addresses, or a file
// in that of its pages.
class Paging {
 public:
  // `kind` tells the tokens of one rpc from those of another.
  // `subject` is whose they are; a token of another's is refused.
  template <class Request>
  static absl::StatusOr<Paging> Of(const Request& request, const char* kind,
                                   const std::string& subject) {
    Paging paging;
    paging.kind_ = kind;
    FL_ASSIGN_OR_RETURN(paging.size_,
                        PageSize(request.page_size(), limits::kVmaPageDefault,
                                 limits::kVmaPageMax));
    paging.scope_ = absl::StrCat(request.session(), " ", subject);
    if (request.has_at_revision()) {
      absl::StrAppend(&paging.scope_, " ", request.at_revision());
    }
    FL_ASSIGN_OR_RETURN(const std::string cursor,
                        PageCursor(request.page_token(), kind, paging.scope_));
    if (!cursor.empty() && !absl::SimpleAtoi(cursor, &paging.from_)) {
      return errors::InvalidField("page_token", "was not returned by this rpc");
    }
    return paging;
  }

  // The first address of this part, or how many items come before it.
  uint64_t from() const { return from_; }
  // Is this part full?
  bool Full() const { return items_ == size_ || bytes_ > limits::kChunkBytes; }
  void Count(size_t bytes) {
    items_++;
    bytes_ += bytes;
  }
  // The token of the part that begins at `address`.
  std::string TokenAt(uint64_t address) const {
    return PageToken(kind_, scope_, absl::StrCat(address));
  }

 private:
  const char* kind_ = "";
  int size_ = 0;
  std::string scope_;
  uint64_t from_ = 0;
  int items_ = 0;
  size_t bytes_ = 0;
};

// Calls add(vma), which returns the bytes that it added.
template <class Request, class Response, class Add>
absl::Status PartOfVmas(const Request& request, const MachineView& view,
                        const char* kind, const Mm& mm, Response* response,
                        Add add) {
  FL_ASSIGN_OR_RETURN(Paging paging,
                      Paging::Of(request, kind, absl::StrCat(request.pid())));
  const Kernel& k = view.machine.kernel();
  for (Id<Vma> at = LookupVma(k, mm, VirtAddr(paging.from())); at;
       at = k.vmas[at].next) {
    if (paging.Full()) {
      response->set_next_page_token(paging.TokenAt(k.vmas[at].start.value()));
      break;
    }
    paging.Count(add(k.vmas[at]));
  }
  return absl::OkStatus();
}

absl::Status ListVmasOf(const v1::ListVmasRequest& request,
                        const MachineView& view,
                        v1::ListVmasResponse* response) {
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfRequest(request, view));
  return PartOfVmas(request, view, "vmas", *mm, response, [&](const Vma& vma) {
    VmaToProto(view.machine.kernel(), vma, response->add_vmas());
    return response->vmas().rbegin()->ByteSizeLong();
  });
}

absl::Status GetVmaTreeOf(const v1::GetVmaTreeRequest& request,
                          const MachineView& view,
                          v1::GetVmaTreeResponse* response) {
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfRequest(request, view));
  VmaTreeToProto(view.machine.kernel(), *mm, response->mutable_tree());
  return PartOfVmas(request, view, "tree", *mm, response, [&](const Vma& vma) {
    VmaNodeToProto(view.machine.kernel(), vma, response->add_nodes());
    return response->nodes().rbegin()->ByteSizeLong();
  });
}

absl::Status GetLruOf(const v1::GetLruRequest& request, const MachineView& view,
                      v1::GetLruResponse* response) {
  const Kernel& k = view.machine.kernel();
  LruToProto(k, response);
  if (request.lru().empty()) return absl::OkStatus();
  const std::optional<Lru> lru = LruOfName(request.lru());
  if (!lru) {
    return errors::InvalidField(
        "lru",
        "names no list: inactive_anon, active_anon, inactive_file, "
        "active_file or unevictable");
  }
  FL_ASSIGN_OR_RETURN(Paging paging, Paging::Of(request, "lru", request.lru()));
  uint64_t number = 0;
  for (Pfn pfn = k.lruvec.lists[*lru].tail; pfn.valid();
       pfn = k.page(pfn).prev, number++) {
    if (number < paging.from()) continue;
    if (paging.Full()) {
      response->set_next_page_token(paging.TokenAt(number));
      break;
    }
    LruPageToProto(k, pfn, response->add_pages());
    paging.Count(response->pages().rbegin()->ByteSizeLong());
  }
  return absl::OkStatus();
}

absl::Status GetMmOf(const v1::GetMmRequest& request, const MachineView& view,
                     v1::GetMmResponse* response) {
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfRequest(request, view));
  MmToProto(view.machine.kernel(), *mm, response->mutable_mm());
  return absl::OkStatus();
}

absl::Status GetReplacementOf(const v1::GetReplacementRequest& request,
                              const MachineView& view,
                              v1::GetReplacementResponse* response) {
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfRequest(request, view));
  if (!mm->replacement) {
    return errors::NoReplacement(request.session(), request.pid());
  }
  ReplacementToProto(view.machine.kernel(), *mm, response);
  return absl::OkStatus();
}

absl::Status ListChunksOf(const v1::ListChunksRequest& request,
                          const MachineView& view,
                          v1::ListChunksResponse* response) {
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfRequest(request, view));
  FL_ASSIGN_OR_RETURN(Paging paging, Paging::Of(request, "chunks",
                                                absl::StrCat(request.pid())));
  v1::Heap* heap = response->mutable_heap();
  if (!mm->heap) return absl::OkStatus();
  HeapToProto(view.machine.kernel(), *mm, heap);
  HeapWalk walk(view.machine.kernel(), *mm, paging.from());
  while (auto chunk = walk.Next()) {
    if (paging.Full()) {
      response->set_next_page_token(paging.TokenAt(chunk->mem));
      break;
    }
    ChunkToProto(*chunk, response->add_chunks());
    paging.Count(response->chunks().rbegin()->ByteSizeLong());
  }
  heap->set_top_size(walk.TopSize());
  heap->set_problem(walk.problem());
  return absl::OkStatus();
}

// --- Files

absl::StatusOr<Id<Inode>> InodeOfRequest(const v1::GetPageCacheRequest& request,
                                         const Kernel& k) {
  const bool by_path = !request.path().empty();
  if (!by_path && request.inode() == 0) {
    return errors::MissingField(
        "path", "is required, or else inode: which file is looked at");
  }
  if (by_path && request.inode() != 0) {
    return errors::InvalidField("inode", "is given besides path: give one");
  }
  if (request.path().size() > limits::kPathBytesMax) {
    return errors::InvalidField(
        "path", absl::StrCat("has ", request.path().size(), " bytes: at most ",
                             limits::kPathBytesMax));
  }
  const Id<Inode> id =
      by_path ? FindInode(k, request.path()) : FindInode(k, request.inode());
  if (id) return id;
  return errors::FileNotFound(
      request.session(),
      by_path ? request.path() : absl::StrCat(request.inode()));
}

absl::Status GetPageCacheOf(const v1::GetPageCacheRequest& request,
                            const MachineView& view,
                            v1::GetPageCacheResponse* response) {
  const Kernel& k = view.machine.kernel();
  FL_ASSIGN_OR_RETURN(const Id<Inode> id, InodeOfRequest(request, k));
  const Inode& inode = k.inodes[id];
  FL_ASSIGN_OR_RETURN(Paging paging, Paging::Of(request, "page-cache",
                                                absl::StrCat(inode.ino)));
  AddressSpaceToProto(k, id, response->mutable_mapping());
  auto at = XaFind(k.xa_nodes, inode.i_pages, paging.from(), UINT64_MAX);
  for (; at; at = XaFind(k.xa_nodes, inode.i_pages, *at + 1, UINT64_MAX)) {
    if (paging.Full()) {
      response->set_next_page_token(paging.TokenAt(*at));
      break;
    }
    CachedPageToProto(k, inode, *at, response->add_pages());
    paging.Count(response->pages().rbegin()->ByteSizeLong());
  }
  return absl::OkStatus();
}

absl::Status WalkPageTableOf(const v1::WalkPageTableRequest& request,
                             const MachineView& view,
                             v1::WalkPageTableResponse* response) {
  FL_ASSIGN_OR_RETURN(const Mm* mm, MmOfRequest(request, view));
  WalkToProto(view.machine.kernel(), *mm, request.address(), response);
  return absl::OkStatus();
}

// The tokens count caches: a new one comes first, and moves the others back.
absl::Status ListSlabsOf(const v1::ListSlabsRequest& request,
                         const MachineView& view,
                         v1::ListSlabsResponse* response) {
  FL_ASSIGN_OR_RETURN(Paging paging, Paging::Of(request, "slabs", ""));
  // Before anybody has asked for memory the caches are as boot makes them.
  const Kernel& k = view.machine.kernel();
  const Slub fresh = k.slub.up ? Slub() : BootSlub(k);
  const Slub& slub = k.slub.up ? k.slub : fresh;
  uint64_t number = 0;
  for (Id<KmemCache> at = slub.newest; at; at = slub.caches[at].next) {
    if (number++ < paging.from()) continue;
    if (paging.Full()) {
      response->set_next_page_token(paging.TokenAt(number - 1));
      break;
    }
    SlabCacheToProto(k, slub.caches[at], response->add_caches());
    paging.Count(response->caches().rbegin()->ByteSizeLong());
  }
  return absl::OkStatus();
}

absl::Status GetPageOf(const v1::GetPageRequest& request,
                       const MachineView& view, v1::GetPageResponse* response) {
  if (PageToProto(view.machine.kernel(), request.pfn(),
                  response->mutable_page())) {
    return absl::OkStatus();
  }
  return errors::PageNotFound(request.session(), request.pfn());
}

}  // namespace

grpc::ServerUnaryReactor* InspectServiceImpl::ReadProc(
    grpc::CallbackServerContext* context, const v1::ReadProcRequest* request,
    v1::ReadProcResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        ReadProcOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::ListVmas(
    grpc::CallbackServerContext* context, const v1::ListVmasRequest* request,
    v1::ListVmasResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        ListVmasOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetMm(
    grpc::CallbackServerContext* context, const v1::GetMmRequest* request,
    v1::GetMmResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        GetMmOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetReplacement(
    grpc::CallbackServerContext* context,
    const v1::GetReplacementRequest* request,
    v1::GetReplacementResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        GetReplacementOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetVmaTree(
    grpc::CallbackServerContext* context, const v1::GetVmaTreeRequest* request,
    v1::GetVmaTreeResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        GetVmaTreeOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::ListChunks(
    grpc::CallbackServerContext* context, const v1::ListChunksRequest* request,
    v1::ListChunksResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        ListChunksOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::WalkPageTable(
    grpc::CallbackServerContext* context,
    const v1::WalkPageTableRequest* request,
    v1::WalkPageTableResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        WalkPageTableOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetPage(
    grpc::CallbackServerContext* context, const v1::GetPageRequest* request,
    v1::GetPageResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        GetPageOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::ListZones(
    grpc::CallbackServerContext* context, const v1::ListZonesRequest* request,
    v1::ListZonesResponse* response) {
  return AnswerWithView(
      context_, context_.quick, context, request, response,
      [](const auto&, const MachineView& view, auto* response) {
        ZonesToProto(view.machine.kernel(), response);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetPageCache(
    grpc::CallbackServerContext* context,
    const v1::GetPageCacheRequest* request,
    v1::GetPageCacheResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        GetPageCacheOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::ListSlabs(
    grpc::CallbackServerContext* context, const v1::ListSlabsRequest* request,
    v1::ListSlabsResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        ListSlabsOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetFreeAreas(
    grpc::CallbackServerContext* context,
    const v1::GetFreeAreasRequest* request,
    v1::GetFreeAreasResponse* response) {
  return AnswerWithView(
      context_, context_.quick, context, request, response,
      [](const auto&, const MachineView& view, auto* response) {
        FreeAreasToProto(view.machine.kernel(), response);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* InspectServiceImpl::GetLru(
    grpc::CallbackServerContext* context, const v1::GetLruRequest* request,
    v1::GetLruResponse* response) {
  return AnswerWithView(context_, context_.quick, context, request, response,
                        GetLruOf);
}

grpc::ServerUnaryReactor* InspectServiceImpl::ListSwaps(
    grpc::CallbackServerContext* context, const v1::ListSwapsRequest* request,
    v1::ListSwapsResponse* response) {
  return AnswerWithView(
      context_, context_.quick, context, request, response,
      [](const auto&, const MachineView& view, auto* response) {
        SwapsToProto(view.machine.kernel(), response);
        return absl::OkStatus();
      });
}

// Looks at every frame and every entry: seconds for a large machine.
grpc::ServerUnaryReactor* InspectServiceImpl::VerifyMachine(
    grpc::CallbackServerContext* context,
    const v1::VerifyMachineRequest* request,
    v1::VerifyMachineResponse* response) {
  return AnswerWithView(
      context_, context_.slow, context, request, response,
      [](const auto&, const MachineView& view, auto* response) {
        response->set_problem(ToUtf8(view.machine.Verify()));
        response->set_ok(response->problem().empty());
        return absl::OkStatus();
      });
}

}  // namespace faultline
