// Snapshots over the wire, and looks at the past.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/service/test_server.h"

namespace faultline {
namespace {

using testing::BadField;
using ::testing::ElementsAre;
using testing::ExpectError;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
constexpr auto kNotFound = grpc::StatusCode::NOT_FOUND;

class SnapshotRpcsTest : public testing::TestServer {
 protected:
  grpc::Status Take(const v1::CreateSnapshotRequest& request,
                    v1::Snapshot* snapshot) {
    v1::CreateSnapshotResponse response;
    Context context;
    const grpc::Status status =
        history_->CreateSnapshot(&context, request, &response);
    *snapshot = response.snapshot();
    return status;
  }
  v1::Snapshot MustTake(const std::string& session, const std::string& id,
                        int64_t revision = -1) {
    v1::CreateSnapshotRequest request;
    request.set_session(session);
    request.set_snapshot_id(id);
    request.set_display_name("named " + id);
    if (revision >= 0) request.set_revision(revision);
    v1::Snapshot snapshot;
    const grpc::Status status = Take(request, &snapshot);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return snapshot;
  }
  grpc::Status Get(const std::string& name, v1::Snapshot* snapshot) {
    v1::GetSnapshotRequest request;
    request.set_snapshot(name);
    v1::GetSnapshotResponse response;
    Context context;
    const grpc::Status status =
        history_->GetSnapshot(&context, request, &response);
    *snapshot = response.snapshot();
    return status;
  }
  grpc::Status List(const v1::ListSnapshotsRequest& request,
                    v1::ListSnapshotsResponse* response) {
    Context context;
    return history_->ListSnapshots(&context, request, response);
  }
  grpc::Status Delete(const std::string& name, bool allow_missing = false) {
    v1::DeleteSnapshotRequest request;
    request.set_snapshot(name);
    request.set_allow_missing(allow_missing);
    v1::DeleteSnapshotResponse response;
    Context context;
    return history_->DeleteSnapshot(&context, request, &response);
  }
  grpc::Status Restore(const std::string& name, const std::string& id,
                       v1::Session* session) {
    v1::RestoreSnapshotRequest request;
    request.set_snapshot(name);
    request.set_session_id(id);
    request.set_display_name("restored");
    v1::RestoreSnapshotResponse response;
    Context context;
    const grpc::Status status =
        history_->RestoreSnapshot(&context, request, &response);
    *session = response.session();
    return status;
  }
  grpc::Status Fingerprint(const std::string& session, int64_t revision,
                           uint64_t* fingerprint) {
    v1::GetFingerprintRequest request;
    request.set_session(session);
    if (revision >= 0) request.set_revision(revision);
    v1::GetFingerprintResponse response;
    Context context;
    const grpc::Status status =
        history_->GetFingerprint(&context, request, &response);
    *fingerprint = response.fingerprint();
    return status;
  }
  std::string MapsAt(const std::string& session, int64_t revision) {
    v1::ReadProcRequest request;
    request.set_session(session);
    request.set_path("/proc/1/maps");
    request.set_at_revision(revision);
    v1::ReadProcResponse response;
    Context context;
    const grpc::Status status =
        inspect_->ReadProc(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.revision(), revision);
    return response.text();
  }
  void Close(const std::string& session) {
    v1::CloseSessionRequest request;
    request.set_session(session);
    v1::CloseSessionResponse response;
    Context context;
    ASSERT_TRUE(sessions_->CloseSession(&context, request, &response).ok());
  }
};

TEST_F(SnapshotRpcsTest, TakesReadsAndDeletesOne) {
  const std::string lab = Create("lab");
  Map(lab, 4096);
  const v1::Snapshot taken = MustTake(lab, "before");
  EXPECT_EQ(taken.name(), "sessions/lab/snapshots/before");
  EXPECT_EQ(taken.revision(), 1);
  EXPECT_EQ(taken.kind(), v1::SNAPSHOT_KIND_USER);
  EXPECT_EQ(taken.display_name(), "named before");
  EXPECT_GT(taken.create_time().seconds(), 1'700'000'000);
  EXPECT_GT(taken.bytes(), taken.stored_bytes());
  EXPECT_GT(taken.stored_bytes(), 0);
  uint64_t fingerprint = 0;
  ASSERT_TRUE(Fingerprint(lab, -1, &fingerprint).ok());
  EXPECT_EQ(taken.fingerprint(), fingerprint);
  EXPECT_GT(taken.session_pause().nanos(), 0);
  v1::Snapshot read;
  ASSERT_TRUE(Get(taken.name(), &read).ok());
  v1::Snapshot kept = taken;
  kept.clear_session_pause();
  EXPECT_EQ(read.SerializeAsString(), kept.SerializeAsString());
  EXPECT_TRUE(Delete(taken.name()).ok());
  ExpectError(Get(taken.name(), &read), kNotFound, "SNAPSHOT_NOT_FOUND");
  ExpectError(Delete(taken.name()), kNotFound, "SNAPSHOT_NOT_FOUND");
  EXPECT_TRUE(Delete(taken.name(), /*allow_missing=*/true).ok());
}

TEST_F(SnapshotRpcsTest, TakesOneOfAnOlderRevisionOfAClosedSession) {
  const std::string lab = Create("lab");
  for (uint64_t i = 1; i <= 5; ++i) Map(lab, i * 4096);
  Close(lab);
  const v1::Snapshot taken = MustTake(lab, "", 3);
  EXPECT_THAT(taken.name(),
              MatchesRegex("sessions/lab/snapshots/r3-[a-z0-9]+"));
  EXPECT_EQ(taken.revision(), 3);
  EXPECT_FALSE(taken.has_session_pause());
  uint64_t fingerprint = 0;
  ASSERT_TRUE(Fingerprint(lab, 3, &fingerprint).ok());
  EXPECT_EQ(taken.fingerprint(), fingerprint);
}

TEST_F(SnapshotRpcsTest, BadRequestsNameTheField) {
  const std::string lab = Create("lab");
  v1::Snapshot snapshot;
  v1::CreateSnapshotRequest request;
  ExpectError(Take(request, &snapshot), kInvalid, "FIELD_MISSING");
  request.set_session(lab);
  request.set_snapshot_id("Not an id");
  EXPECT_EQ(BadField(Take(request, &snapshot)), "snapshot_id");
  request.set_snapshot_id("good");
  request.set_display_name(std::string(257, 'x'));
  EXPECT_EQ(BadField(Take(request, &snapshot)), "display_name");
  request.clear_display_name();
  request.set_revision(-1);
  EXPECT_EQ(BadField(Take(request, &snapshot)), "revision");
  request.set_revision(1);
  ExpectError(Take(request, &snapshot), grpc::StatusCode::OUT_OF_RANGE,
              "REVISION_OUT_OF_RANGE");
  request.set_session("sessions/none");
  ExpectError(Take(request, &snapshot), kNotFound, "SESSION_NOT_FOUND");
  request.set_session(lab);
  request.clear_revision();
  ASSERT_TRUE(Take(request, &snapshot).ok());
  ExpectError(Take(request, &snapshot), grpc::StatusCode::ALREADY_EXISTS,
              "SNAPSHOT_ALREADY_EXISTS");
  for (const char* name :
       {"", "good", "sessions/lab", "sessions/lab/snapshots/",
        "sessions/lab/snapshots/UP", "sessions/lab/snapshots/a/b",
        "session/lab/snapshots/good", "sessions//snapshots/good"}) {
    EXPECT_EQ(BadField(Get(name, &snapshot)), "snapshot") << name;
    EXPECT_EQ(BadField(Delete(name)), "snapshot") << name;
    v1::Session session;
    EXPECT_EQ(BadField(Restore(name, "new", &session)), "snapshot") << name;
  }
  v1::ListSnapshotsRequest list;
  v1::ListSnapshotsResponse page;
  list.set_session(lab);
  list.set_page_size(-1);
  EXPECT_EQ(BadField(List(list, &page)), "page_size");
  list.set_page_size(1);
  list.set_page_token("what is this");
  EXPECT_EQ(BadField(List(list, &page)), "page_token");
}

TEST_F(SnapshotRpcsTest, ListsThemPageByPage) {
  const std::string lab = Create("lab");
  for (uint64_t i = 1; i <= 3; ++i) Map(lab, i * 4096);
  for (const int64_t revision : {2, 0, 3, 1}) {
    MustTake(lab, absl::StrCat("r", revision), revision);
  }
  MustTake(lab, "also-2", 2);
  v1::ListSnapshotsRequest request;
  request.set_session(lab);
  request.set_page_size(2);
  std::vector<std::string> ids;
  int pages = 0;
  do {
    v1::ListSnapshotsResponse page;
    ASSERT_TRUE(List(request, &page).ok());
    EXPECT_LE(page.snapshots_size(), 2);
    for (const v1::Snapshot& s : page.snapshots()) {
      ids.push_back(s.name().substr(s.name().rfind('/') + 1));
    }
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(ids, ElementsAre("r0", "r1", "also-2", "r2", "r3"));
  // A token belongs to its session.
  request.set_page_size(2);
  v1::ListSnapshotsResponse page;
  ASSERT_TRUE(List(request, &page).ok());
  request.set_session(Create("other"));
  request.set_page_token(page.next_page_token());
  EXPECT_EQ(BadField(List(request, &page)), "page_token");
}

TEST_F(SnapshotRpcsTest, RestoresASessionThatStandsAlone) {
  const std::string lab = Create("lab");
  const uint64_t area = Map(lab, 8 * 4096);
  v1::AccessResponse touched;
  ASSERT_TRUE(Touch(lab, area, 1, &touched).ok());
  const v1::Snapshot taken = MustTake(lab, "snap");
  v1::Session copy;
  ASSERT_TRUE(Restore(taken.name(), "copy", &copy).ok());
  EXPECT_EQ(copy.name(), "sessions/copy");
  EXPECT_EQ(copy.display_name(), "restored");
  EXPECT_EQ(copy.revision(), 0);
  EXPECT_EQ(copy.config().ram_bytes(), 64u << 20);
  EXPECT_EQ(copy.origin().snapshot(), taken.name());
  EXPECT_EQ(copy.origin().revision(), 2);
  EXPECT_EQ(copy.origin().fingerprint(), taken.fingerprint());
  EXPECT_EQ(MapsAt(copy.name(), 0), MapsAt(lab, 2));

  v1::DeleteSessionRequest remove;
  remove.set_session(lab);
  v1::DeleteSessionResponse removed;
  Context context;
  ASSERT_TRUE(sessions_->DeleteSession(&context, remove, &removed).ok());
  // What was resident is, what was not faults.
  ASSERT_TRUE(Touch(copy.name(), area, 1, &touched).ok());
  EXPECT_EQ(touched.outcome().min_flt(), 0u);
  ASSERT_TRUE(Touch(copy.name(), area + 4096, 1, &touched).ok());
  EXPECT_EQ(touched.outcome().min_flt(), 1u);
  EXPECT_EQ(Revision(copy.name()), 2);

  ExpectError(Restore(taken.name(), "again", &copy), kNotFound,
              "SESSION_NOT_FOUND");
}

TEST_F(SnapshotRpcsTest, RestoringSaysWhatIsWrong) {
  const std::string lab = Create("lab");
  const std::string name = MustTake(lab, "snap").name();
  v1::Session session;
  ExpectError(Restore(name, "lab", &session), grpc::StatusCode::ALREADY_EXISTS,
              "SESSION_ALREADY_EXISTS");
  EXPECT_EQ(BadField(Restore(name, "Not an id", &session)), "session_id");
  ExpectError(Restore(lab + "/snapshots/none", "new", &session), kNotFound,
              "SNAPSHOT_NOT_FOUND");
}

TEST_F(SnapshotRpcsTest, VerifySpeaksOfThem) {
  const std::string lab = Create("lab");
  Map(lab, 4096);
  MustTake(lab, "snap");
  v1::VerifySessionRequest request;
  request.set_session(lab);
  Context context;
  auto reader = history_->VerifySession(&context, request);
  v1::VerifySessionResponse last;
  v1::VerifySessionResponse response;
  while (reader->Read(&response)) last = response;
  ASSERT_TRUE(reader->Finish().ok());
  const v1::VerifyReport& report = last.report();
  EXPECT_TRUE(report.ok());
  ASSERT_EQ(report.checks_size(), 5);
  EXPECT_EQ(report.checks(4).name(), "snapshots");
  EXPECT_TRUE(report.checks(4).ok());
}

// --- Looks at the past.

TEST_F(SnapshotRpcsTest, EveryLookCanBeAtAnOlderRevision) {
  const std::string lab = Create("lab");
  // More pages than the CPU's list gives without asking the zone.
  constexpr uint64_t kPages = 128;
  const uint64_t area = Map(lab, kPages * 4096);
  v1::AccessResponse touched;
  ASSERT_TRUE(Touch(lab, area, kPages, &touched, 20'000, 4096).ok());
  for (uint64_t i = 2; i <= 10; ++i) Map(lab, i * 4096);
  Close(lab);
  const std::string start = absl::StrCat(absl::Hex(area));
  EXPECT_THAT(MapsAt(lab, 0), Not(HasSubstr(start)));
  EXPECT_THAT(MapsAt(lab, 1), HasSubstr(start));

  const auto expect_at = [&](auto method, auto request, auto response,
                             int64_t revision, auto check) {
    request.set_session(lab);
    request.set_at_revision(revision);
    Context context;
    const grpc::Status status =
        (inspect_.get()->*method)(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.revision(), revision);
    check(response);
  };
  using Stub = v1::InspectService::Stub;
  v1::ListVmasRequest vmas;
  vmas.set_pid(1);
  int before = 0;
  expect_at(&Stub::ListVmas, vmas, v1::ListVmasResponse(), 0,
            [&](const auto& r) { before = r.vmas_size(); });
  expect_at(&Stub::ListVmas, vmas, v1::ListVmasResponse(), 1,
            [&](const auto& r) { EXPECT_EQ(r.vmas_size(), before + 1); });
  v1::WalkPageTableRequest walk;
  walk.set_pid(1);
  walk.set_address(area);
  uint64_t pfn = 0;
  expect_at(&Stub::WalkPageTable, walk, v1::WalkPageTableResponse(), 1,
            [&](const auto& r) { EXPECT_FALSE(r.present()); });
  expect_at(&Stub::WalkPageTable, walk, v1::WalkPageTableResponse(), 2,
            [&](const auto& r) {
              EXPECT_TRUE(r.present());
              pfn = r.pfn();
            });
  v1::GetPageRequest page;
  page.set_pfn(pfn);
  expect_at(&Stub::GetPage, page, v1::GetPageResponse(), 1,
            [&](const auto& r) { EXPECT_EQ(r.page().mapcount(), 0); });
  expect_at(&Stub::GetPage, page, v1::GetPageResponse(), 2,
            [&](const auto& r) { EXPECT_EQ(r.page().mapcount(), 1); });
  uint64_t free_before = 0;
  const auto count_free = [](const v1::ListZonesResponse& r) {
    uint64_t free = 0;
    for (const auto& zone : r.zones()) free += zone.free();
    return free;
  };
  expect_at(&Stub::ListZones, v1::ListZonesRequest(), v1::ListZonesResponse(),
            1, [&](const auto& r) { free_before = count_free(r); });
  expect_at(&Stub::ListZones, v1::ListZonesRequest(), v1::ListZonesResponse(),
            2, [&](const auto& r) { EXPECT_LT(count_free(r), free_before); });
  expect_at(&Stub::GetFreeAreas, v1::GetFreeAreasRequest(),
            v1::GetFreeAreasResponse(), 2,
            [](const auto& r) { EXPECT_GT(r.zones_size(), 0); });
  expect_at(&Stub::VerifyMachine, v1::VerifyMachineRequest(),
            v1::VerifyMachineResponse(), 5,
            [](const auto& r) { EXPECT_TRUE(r.ok()) << r.problem(); });
}

TEST_F(SnapshotRpcsTest, ALookAtThePastSaysWhatIsWrong) {
  const std::string lab = Create("lab");
  Map(lab, 4096);
  v1::ReadProcRequest request;
  v1::ReadProcResponse response;
  request.set_session(lab);
  request.set_path("/proc/1/maps");
  const auto read = [&] {
    Context context;
    return inspect_->ReadProc(&context, request, &response);
  };
  request.set_at_revision(2);
  ExpectError(read(), grpc::StatusCode::OUT_OF_RANGE, "REVISION_OUT_OF_RANGE");
  request.set_at_revision(-1);
  EXPECT_EQ(BadField(read()), "at_revision");
  request.set_at_revision(1);
  request.set_expected_revision(1);
  EXPECT_EQ(BadField(read()), "at_revision");
  request.clear_expected_revision();
  EXPECT_TRUE(read().ok());
  request.set_session("sessions/none");
  ExpectError(read(), kNotFound, "SESSION_NOT_FOUND");
}

}  // namespace
}  // namespace faultline
