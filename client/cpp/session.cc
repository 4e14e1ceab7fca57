#include "client/cpp/session.h"

#include "client/cpp/error.h"
#include "client/cpp/stubs.h"
#include "grpcpp/support/sync_stream.h"

namespace faultline::client {
namespace {

// One unary rpc of MachineService: all have the same shape.
template <typename Request, typename Response, typename Fill>
absl::StatusOr<v1::Outcome> Invoke(
    Connection& connection, const std::string& session,
    const v1::Command& command, const CallSettings& settings,
    grpc::Status (v1::MachineService::Stub::*method)(grpc::ClientContext*,
                                                     const Request&, Response*),
    int64_t* revision, Fill fill) {
  Request request;
  request.set_session(session);
  request.set_pid(command.pid());
  v1::CallOptions* options = request.mutable_options();
  options->set_request_id(settings.request_id.empty()
                              ? connection.NewRequestId()
                              : settings.request_id);
  if (settings.expected_revision) {
    options->set_expected_revision(*settings.expected_revision);
  }
  options->set_event_level(settings.event_level);
  options->set_participant(settings.participant);
  fill(&request);
  Response response;
  absl::Status status = connection.Call(
      settings.deadline, Repeat::kYes, [&](grpc::ClientContext& context) {
        return (connection.stubs().machines.*method)(&context, request,
                                                     &response);
      });
  if (!status.ok()) return status;
  *revision = response.revision();
  return std::move(*response.mutable_outcome());
}

// Reads a stream of progress that ends in a report.
template <typename Report, typename Reader, typename Response>
absl::StatusOr<Report> ReadReport(const std::string& address, Reader& reader,
                                  const ProgressCallback& progress,
                                  Response response) {
  absl::optional<Report> report;
  while (reader.Read(&response)) {
    if (response.has_report()) report = response.report();
    if (response.has_progress() && progress) {
      progress(response.progress().done(), response.progress().total());
    }
  }
  absl::Status status = FromGrpc(reader.Finish(), address);
  if (!status.ok()) return status;
  if (!report) {
    return absl::InternalError("the server ended the stream without a report");
  }
  return *std::move(report);
}

}  // namespace

#define FAULTLINE_CALL(Name, field)                       \
  case v1::Command::k##Name:                              \
    return Invoke<v1::Name##Request, v1::Name##Response>( \
        *connection_, name_, command, settings,           \
        &v1::MachineService::Stub::Name, &revision_,      \
        [&command](auto* r) { *r->mutable_##field() = command.field(); })

absl::StatusOr<v1::Outcome> Session::Call(const v1::Command& command,
                                          const CallSettings& settings) {
  switch (command.op_case()) {
    FAULTLINE_CALL(Mmap, mmap);
    FAULTLINE_CALL(Munmap, munmap);
    FAULTLINE_CALL(Mprotect, mprotect);
    FAULTLINE_CALL(Mremap, mremap);
    FAULTLINE_CALL(Brk, brk);
    FAULTLINE_CALL(Madvise, madvise);
    FAULTLINE_CALL(Mlock, mlock);
    FAULTLINE_CALL(Munlock, munlock);
    FAULTLINE_CALL(Mlockall, mlockall);
    FAULTLINE_CALL(Munlockall, munlockall);
    FAULTLINE_CALL(Msync, msync);
    FAULTLINE_CALL(Mincore, mincore);
    FAULTLINE_CALL(SetVmaName, set_vma_name);
    FAULTLINE_CALL(Access, access);
    FAULTLINE_CALL(AccessMany, access_many);
    FAULTLINE_CALL(Fork, fork);
    FAULTLINE_CALL(Clone, clone);
    FAULTLINE_CALL(Execve, execve);
    FAULTLINE_CALL(Exit, exit);
    FAULTLINE_CALL(Wait, wait);
    FAULTLINE_CALL(Kill, kill);
    FAULTLINE_CALL(CreateFile, create_file);
    FAULTLINE_CALL(Open, open);
    FAULTLINE_CALL(Close, close);
    FAULTLINE_CALL(Read, read);
    FAULTLINE_CALL(Write, write);
    FAULTLINE_CALL(Truncate, truncate);
    FAULTLINE_CALL(Fsync, fsync);
    FAULTLINE_CALL(Setrlimit, setrlimit);
    FAULTLINE_CALL(AllocPages, alloc_pages);
    FAULTLINE_CALL(FreePages, free_pages);
    FAULTLINE_CALL(GetFreePages, get_free_pages);
    FAULTLINE_CALL(GetZeroedPage, get_zeroed_page);
    FAULTLINE_CALL(PageAddress, page_address);
    FAULTLINE_CALL(FreeAddress, free_address);
    FAULTLINE_CALL(Sysctl, sysctl);
    FAULTLINE_CALL(ClearRefs, clear_refs);
    FAULTLINE_CALL(Tick, tick);
    FAULTLINE_CALL(Malloc, malloc);
    FAULTLINE_CALL(Calloc, calloc);
    FAULTLINE_CALL(Realloc, realloc);
    FAULTLINE_CALL(Free, free);
    FAULTLINE_CALL(Mallopt, mallopt);
    FAULTLINE_CALL(Mseal, mseal);
    FAULTLINE_CALL(RemapFilePages, remap_file_pages);
    FAULTLINE_CALL(MemfdCreate, memfd_create);
    FAULTLINE_CALL(Fallocate, fallocate);
    FAULTLINE_CALL(Fcntl, fcntl);
    FAULTLINE_CALL(ProcessMadvise, process_madvise);
    FAULTLINE_CALL(Getrlimit, getrlimit);
    FAULTLINE_CALL(Setuid, setuid);
    FAULTLINE_CALL(Prctl, prctl);
    FAULTLINE_CALL(Userfaultfd, userfaultfd);
    FAULTLINE_CALL(Kmalloc, kmalloc);
    FAULTLINE_CALL(Kfree, kfree);
    FAULTLINE_CALL(KmemCacheCreate, kmem_cache_create);
    FAULTLINE_CALL(KmemCacheAlloc, kmem_cache_alloc);
    FAULTLINE_CALL(KmemCacheFree, kmem_cache_free);
    FAULTLINE_CALL(KmemCacheShrink, kmem_cache_shrink);
    FAULTLINE_CALL(KmemCacheDestroy, kmem_cache_destroy);
    FAULTLINE_CALL(Vmalloc, vmalloc);
    FAULTLINE_CALL(Vfree, vfree);
    FAULTLINE_CALL(Kmap, kmap);
    FAULTLINE_CALL(Kunmap, kunmap);
    FAULTLINE_CALL(KmapLocal, kmap_local);
    FAULTLINE_CALL(KunmapLocal, kunmap_local);
    FAULTLINE_CALL(KernelAccess, kernel_access);
    FAULTLINE_CALL(DropCaches, drop_caches);
    FAULTLINE_CALL(Sync, sync);
    FAULTLINE_CALL(Fadvise, fadvise);
    FAULTLINE_CALL(Swapon, swapon);
    FAULTLINE_CALL(Swapoff, swapoff);
    FAULTLINE_CALL(SetOomScoreAdj, set_oom_score_adj);
    FAULTLINE_CALL(InsertModule, insert_module);
    FAULTLINE_CALL(RemoveModule, remove_module);
    FAULTLINE_CALL(Mknod, mknod);
    FAULTLINE_CALL(SetReplacement, set_replacement);
    FAULTLINE_CALL(EvictPage, evict_page);
    FAULTLINE_CALL(Mbind, mbind);
    FAULTLINE_CALL(SetMempolicy, set_mempolicy);
    FAULTLINE_CALL(GetMempolicy, get_mempolicy);
    FAULTLINE_CALL(SetMempolicyHomeNode, set_mempolicy_home_node);
    case v1::Command::OP_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the command has no operation");
}

#undef FAULTLINE_CALL

absl::StatusOr<v1::Outcome> Session::Mmap(uint32_t pid, const v1::Mmap& mmap) {
  v1::Command command;
  command.set_pid(pid);
  *command.mutable_mmap() = mmap;
  return Call(command);
}

absl::StatusOr<v1::Outcome> Session::Munmap(uint32_t pid, uint64_t addr,
                                            uint64_t length) {
  v1::Command command;
  command.set_pid(pid);
  command.mutable_munmap()->set_addr(addr);
  command.mutable_munmap()->set_length(length);
  return Call(command);
}

absl::StatusOr<v1::Outcome> Session::Load(uint32_t pid, uint64_t addr) {
  v1::Command command;
  command.set_pid(pid);
  command.mutable_access()->set_kind(v1::ACCESS_KIND_READ);
  command.mutable_access()->set_addr(addr);
  return Call(command);
}

absl::StatusOr<v1::Outcome> Session::Store(uint32_t pid, uint64_t addr,
                                           uint8_t value) {
  v1::Command command;
  command.set_pid(pid);
  command.mutable_access()->set_kind(v1::ACCESS_KIND_WRITE);
  command.mutable_access()->set_addr(addr);
  command.mutable_access()->set_value(value);
  return Call(command);
}

absl::StatusOr<v1::Outcome> Session::Fork(uint32_t pid) {
  v1::Command command;
  command.set_pid(pid);
  command.mutable_fork();
  return Call(command);
}

absl::StatusOr<v1::Outcome> Session::Exit(uint32_t pid, int status) {
  v1::Command command;
  command.set_pid(pid);
  command.mutable_exit()->set_status(status);
  return Call(command);
}

absl::StatusOr<v1::ReplayReport> Session::Replay(
    int64_t to_revision, const ProgressCallback& progress) {
  v1::ReplayRequest request;
  request.set_session(name_);
  request.set_to_revision(to_revision);
  grpc::ClientContext context;
  Connection::SetDeadline(context, kLongDeadline);
  auto reader = connection_->stubs().history.Replay(&context, request);
  return ReadReport<v1::ReplayReport>(address(), *reader, progress,
                                      v1::ReplayResponse());
}

absl::StatusOr<v1::VerifyReport> Session::Verify(
    const ProgressCallback& progress) {
  v1::VerifySessionRequest request;
  request.set_session(name_);
  grpc::ClientContext context;
  Connection::SetDeadline(context, kLongDeadline);
  auto reader = connection_->stubs().history.VerifySession(&context, request);
  return ReadReport<v1::VerifyReport>(address(), *reader, progress,
                                      v1::VerifySessionResponse());
}

}  // namespace faultline::client
