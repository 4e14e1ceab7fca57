#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using testing::ExpectError;
using ::testing::HasSubstr;

class InspectServiceTest : public testing::TestServer {
 protected:
  grpc::Status Read(const v1::ReadProcRequest& request,
                    v1::ReadProcResponse* response) {
    Context context;
    return inspect_->ReadProc(&context, request, response);
  }

  std::string Text(const std::string& session, const std::string& path) {
    v1::ReadProcRequest request;
    request.set_session(session);
    request.set_path(path);
    v1::ReadProcResponse response;
    const grpc::Status status = Read(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.error(), v1::ERRNO_UNSPECIFIED);
    EXPECT_EQ(response.next_offset(), 0);
    return response.text();
  }
};

TEST_F(InspectServiceTest, ReadsProcAsLinuxShowsIt) {
  const std::string lab = Create();
  const uint64_t start = Map(lab, 8192);
  char line[64];
  std::snprintf(line, sizeof line, "%lx-%lx rw-p 00000000 00:00 0", start,
                start + 8192);
  EXPECT_THAT(Text(lab, "/proc/1/maps"), HasSubstr(line));
  EXPECT_THAT(Text(lab, "/proc/meminfo"), HasSubstr("MemTotal:"));
}

TEST_F(InspectServiceTest, APathThatIsNotThereIsAnErrnoOfTheMachine) {
  v1::ReadProcRequest request;
  request.set_session(Create());
  request.set_path("/proc/99/maps");
  v1::ReadProcResponse response;
  ASSERT_TRUE(Read(request, &response).ok());
  EXPECT_EQ(response.error(), v1::ERRNO_ENOENT);
}

TEST_F(InspectServiceTest, ReadsALongFileInParts) {
  const std::string lab = Create();
  Map(lab, 8192);
  const std::string whole = Text(lab, "/proc/1/maps");
  v1::ReadProcRequest request;
  request.set_session(lab);
  request.set_path("/proc/1/maps");
  request.set_length(50);
  std::string parts;
  do {
    v1::ReadProcResponse response;
    ASSERT_TRUE(Read(request, &response).ok());
    EXPECT_LE(response.text().size(), 50U);
    parts += response.text();
    request.set_offset(response.next_offset());
    request.set_expected_revision(response.revision());
  } while (request.offset() != 0);
  EXPECT_EQ(parts, whole);
}

TEST_F(InspectServiceTest, SaysWhenTheSessionHasMovedOn) {
  const std::string lab = Create();
  Map(lab, 4096);
  v1::ReadProcRequest request;
  request.set_session(lab);
  request.set_path("/proc/1/maps");
  request.set_expected_revision(0);
  v1::ReadProcResponse response;
  ExpectError(Read(request, &response), grpc::StatusCode::ABORTED,
              "REVISION_MISMATCH");
}

TEST_F(InspectServiceTest, ReadsABinaryFileAsBytes) {
  const std::string lab = Create();
  const uint64_t start = Map(lab, 8192);
  v1::AccessResponse touched;
  ASSERT_TRUE(Touch(lab, start, 1, &touched).ok());
  v1::ReadProcRequest request;
  request.set_session(lab);
  request.set_path("/proc/1/pagemap");
  request.set_offset(static_cast<int64_t>(start / 4096 * 8));
  request.set_length(16);
  v1::ReadProcResponse response;
  ASSERT_TRUE(Read(request, &response).ok());
  EXPECT_EQ(response.error(), v1::ERRNO_UNSPECIFIED);
  ASSERT_EQ(response.data().size() + response.text().size(), 16U);
  EXPECT_EQ(response.data().at(7) & 0x80, 0x80) << "present";
}

TEST_F(InspectServiceTest, RefusesAPathOrAPartThatCannotBe) {
  v1::ReadProcRequest request;
  request.set_session(Create());
  v1::ReadProcResponse response;
  EXPECT_EQ(BadField(Read(request, &response)), "path");
  request.set_path("/proc/1/maps");
  request.set_offset(-1);
  EXPECT_EQ(BadField(Read(request, &response)), "offset");
  request.set_offset(0);
  request.set_length(-1);
  EXPECT_EQ(BadField(Read(request, &response)), "length");
  request.set_length(0);
  request.set_path("/proc/" + std::string(4096, 'x'));
  EXPECT_EQ(BadField(Read(request, &response)), "path");
}

TEST_F(InspectServiceTest, LeavesNoTraceInTheHistory) {
  const std::string lab = Create();
  Text(lab, "/proc/1/smaps");
  EXPECT_EQ(Revision(lab), 0);
}

TEST_F(InspectServiceTest, ListsTheSlabCachesInParts) {
  const std::string lab = Create();
  v1::ListSlabsRequest request;
  request.set_session(lab);
  request.set_page_size(20);
  const auto list = [&] {
    std::vector<v1::SlabCache> caches;
    do {
      Context context;
      v1::ListSlabsResponse response;
      EXPECT_TRUE(inspect_->ListSlabs(&context, request, &response).ok());
      EXPECT_LE(response.caches_size(), 20);
      caches.insert(caches.end(), response.caches().begin(),
                    response.caches().end());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return caches;
  };
  const std::vector<v1::SlabCache> fresh = list();
  EXPECT_EQ(fresh.size(), 52U) << "13 sizes in 4 families";
  EXPECT_EQ(fresh.front().name(), "kmalloc-cg-8k");
  EXPECT_EQ(fresh.front().slabs(), 0U);
  v1::KmallocRequest kmalloc;
  kmalloc.set_session(lab);
  kmalloc.mutable_kmalloc()->set_size(8192);
  kmalloc.mutable_kmalloc()->set_gfp(0x400cc0);  // GFP_KERNEL_ACCOUNT
  Context context;
  v1::KmallocResponse kmalloced;
  ASSERT_TRUE(machines_->Kmalloc(&context, kmalloc, &kmalloced).ok());
  const v1::SlabCache used = list().front();
  EXPECT_EQ(used.slabs(), 1U);
  EXPECT_EQ(used.objects(), 4U);
  EXPECT_EQ(used.active_objects(), 4U) << "the CPU has its slab";
  EXPECT_TRUE(used.has_cpu_slab_pfn());
}

TEST_F(InspectServiceTest, VerifiesAMachine) {
  const std::string lab = Create();
  const uint64_t start = Map(lab, 1 << 20);
  v1::AccessResponse touched;
  ASSERT_TRUE(Touch(lab, start, 100, &touched).ok());
  v1::VerifyMachineRequest request;
  request.set_session(lab);
  v1::VerifyMachineResponse response;
  Context context;
  ASSERT_TRUE(inspect_->VerifyMachine(&context, request, &response).ok());
  EXPECT_TRUE(response.ok()) << response.problem();
  EXPECT_EQ(response.revision(), 2);
}

TEST_F(InspectServiceTest, EveryViewSaysWhenThereIsNoSuchSession) {
  const auto check = [&](auto request, auto method, auto response) {
    request.set_session("sessions/nobody");
    if constexpr (requires { request.set_path("x"); })
      request.set_path("/proc/stat");
    if constexpr (requires { request.set_pid(1); }) request.set_pid(1);
    Context context;
    ExpectError((inspect_.get()->*method)(&context, request, &response),
                grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND");
  };
  using Stub = v1::InspectService::Stub;
  check(v1::ReadProcRequest(), &Stub::ReadProc, v1::ReadProcResponse());
  check(v1::VerifyMachineRequest(), &Stub::VerifyMachine,
        v1::VerifyMachineResponse());
  check(v1::ListVmasRequest(), &Stub::ListVmas, v1::ListVmasResponse());
  check(v1::WalkPageTableRequest(), &Stub::WalkPageTable,
        v1::WalkPageTableResponse());
  check(v1::GetMmRequest(), &Stub::GetMm, v1::GetMmResponse());
  check(v1::GetVmaTreeRequest(), &Stub::GetVmaTree, v1::GetVmaTreeResponse());
  check(v1::ListChunksRequest(), &Stub::ListChunks, v1::ListChunksResponse());
  check(v1::GetPageRequest(), &Stub::GetPage, v1::GetPageResponse());
  check(v1::ListZonesRequest(), &Stub::ListZones, v1::ListZonesResponse());
  check(v1::GetPageCacheRequest(), &Stub::GetPageCache,
        v1::GetPageCacheResponse());
  check(v1::ListSlabsRequest(), &Stub::ListSlabs, v1::ListSlabsResponse());
  check(v1::GetFreeAreasRequest(), &Stub::GetFreeAreas,
        v1::GetFreeAreasResponse());
}

}  // namespace
}  // namespace faultline
