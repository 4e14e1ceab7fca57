#include "storage/images.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "storage/reason.h"
#include "storage/status_macros.h"

namespace faultline::storage {
namespace {

constexpr char kNextKey[] = R"sql(
SELECT 1 + max(ifnull((SELECT max(image_key) FROM images), 0),
               ifnull((SELECT max(image_key) FROM image_purges), 0))
)sql";

constexpr char kSelectBlock[] = R"sql(
SELECT block_key
  FROM blocks
 WHERE hash = ?
)sql";

constexpr char kInsertBlock[] = R"sql(
INSERT INTO blocks (hash, refs)
VALUES (?, 1)
RETURNING block_key
)sql";

constexpr char kInsertBody[] = R"sql(
INSERT INTO block_bodies (block_key, encoding, unpacked_bytes, body)
VALUES (?, ?, ?, ?)
)sql";

constexpr char kReferToBlock[] = R"sql(
UPDATE blocks
   SET refs = refs + 1
 WHERE block_key = ?
)sql";

constexpr char kSetApart[] = R"sql(
UPDATE blocks
   SET hash = CAST('damaged ' || block_key AS BLOB)
 WHERE hash = ?
)sql";

constexpr char kInsertImageBlock[] = R"sql(
INSERT INTO image_blocks (image_key, position, block_key)
VALUES (?, ?, ?)
)sql";

constexpr char kInsertPurge[] = R"sql(
INSERT INTO image_purges (image_key)
VALUES (?)
ON CONFLICT (image_key) DO NOTHING
)sql";

constexpr char kDeletePurge[] = R"sql(
DELETE FROM image_purges
 WHERE image_key = ?
)sql";

constexpr char kInsertImage[] = R"sql(
INSERT INTO images (image_key, bytes, blocks, hash)
VALUES (?, ?, ?, ?)
)sql";

constexpr char kDeleteImage[] = R"sql(
DELETE FROM images
 WHERE image_key = ?
)sql";

constexpr char kAnyReference[] = R"sql(
SELECT EXISTS (SELECT 1 FROM snapshots WHERE image_key = ?1)
    OR EXISTS (SELECT 1 FROM session_bases WHERE image_key = ?1)
)sql";

constexpr char kSelectPurges[] = R"sql(
SELECT image_key
  FROM image_purges
 ORDER BY image_key
)sql";

constexpr char kSelectReferences[] = R"sql(
SELECT position, block_key
  FROM image_blocks
 WHERE image_key = ?
 ORDER BY position
 LIMIT ?
)sql";

constexpr char kDeleteReferences[] = R"sql(
DELETE FROM image_blocks
 WHERE image_key = ?
   AND position <= ?
)sql";

constexpr char kLeaveBlock[] = R"sql(
UPDATE blocks
   SET refs = refs - 1
 WHERE block_key = ?
RETURNING refs
)sql";

constexpr char kDeleteBlock[] = R"sql(
DELETE FROM blocks
 WHERE block_key = ?
)sql";

constexpr char kDeleteBody[] = R"sql(
DELETE FROM block_bodies
 WHERE block_key = ?
)sql";

constexpr char kSelectBlocks[] = R"sql(
SELECT i.position, b.hash, ifnull(c.encoding, -1), ifnull(c.unpacked_bytes, 0),
       ifnull(c.body, x'')
  FROM image_blocks AS i
  JOIN blocks AS b USING (block_key)
  LEFT JOIN block_bodies AS c USING (block_key)
 WHERE i.image_key = ?
   AND i.position >= ?
 ORDER BY i.position
)sql";

absl::Status RunWithKey(Database& database, const char* sql, int64_t key) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  return statement.Bind(1, key).Run();
}

// The first number that `sql` yields for `key`, if any.
absl::StatusOr<absl::optional<int64_t>> SelectWithKey(Database& database,
                                                      const char* sql,
                                                      int64_t key) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(sql));
  select.Bind(1, key);
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row) return absl::optional<int64_t>();
  const int64_t number = select.Int64(0);
  // To its end: a statement that changes rows has done so only then.
  FAULTLINE_RETURN_IF_ERROR(select.Step().status());
  return absl::optional<int64_t>(number);
}

absl::StatusOr<absl::optional<int64_t>> FindBlock(Database& database,
                                                  absl::string_view hash) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectBlock));
  select.BindBlob(1, hash);
  FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
  if (!row) return absl::optional<int64_t>();
  return absl::optional<int64_t>(select.Int64(0));
}

absl::StatusOr<int64_t> InsertBlock(Database& database, const Block& block) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertBlock));
  insert.BindBlob(1, block.hash);
  FAULTLINE_RETURN_IF_ERROR(insert.Step().status());
  const int64_t key = insert.Int64(0);
  FAULTLINE_RETURN_IF_ERROR(insert.Step().status());
  FAULTLINE_ASSIGN_OR_RETURN(Statement body, database.Prepare(kInsertBody));
  body.Bind(1, key)
      .Bind(2, static_cast<int64_t>(block.encoding))
      .Bind(3, block.unpacked_bytes)
      .BindBlob(4, block.body);
  FAULTLINE_RETURN_IF_ERROR(body.Run());
  return key;
}

absl::Status CheckKnown(Database& database, absl::Span<const Block> blocks) {
  for (const Block& block : blocks) {
    if (!block.body.empty()) continue;
    FAULTLINE_ASSIGN_OR_RETURN(const bool known,
                               HasBlock(database, block.hash));
    if (known) continue;
    return ErrorWithReason(absl::StatusCode::kAborted, "BLOCK_GONE",
                           "a block was deleted meanwhile; send its bytes");
  }
  return absl::OkStatus();
}

absl::Status LeaveBlock(Database& database, int64_t block_key) {
  FAULTLINE_ASSIGN_OR_RETURN(const absl::optional<int64_t> refs,
                             SelectWithKey(database, kLeaveBlock, block_key));
  if (refs.value_or(0) > 0) return absl::OkStatus();
  FAULTLINE_RETURN_IF_ERROR(RunWithKey(database, kDeleteBlock, block_key));
  return RunWithKey(database, kDeleteBody, block_key);
}

// True when there was something to delete.
absl::StatusOr<bool> PurgeReferences(Database& database, int64_t image_key,
                                     int64_t blocks_max) {
  std::vector<int64_t> blocks;
  int64_t last = 0;
  {
    FAULTLINE_ASSIGN_OR_RETURN(Statement select,
                               database.Prepare(kSelectReferences));
    select.Bind(1, image_key).Bind(2, blocks_max);
    while (true) {
      FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
      if (!row) break;
      last = select.Int64(0);
      blocks.push_back(select.Int64(1));
    }
  }
  if (blocks.empty()) return false;
  for (const int64_t block : blocks) {
    FAULTLINE_RETURN_IF_ERROR(LeaveBlock(database, block));
  }
  FAULTLINE_ASSIGN_OR_RETURN(Statement references,
                             database.Prepare(kDeleteReferences));
  FAULTLINE_RETURN_IF_ERROR(references.Bind(1, image_key).Bind(2, last).Run());
  return true;
}

absl::StatusOr<absl::optional<int64_t>> NextPurge(
    Database& database, const absl::flat_hash_set<int64_t>& held) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectPurges));
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::optional<int64_t>();
    const int64_t key = select.Int64(0);
    if (!held.contains(key)) return absl::optional<int64_t>(key);
  }
}

}  // namespace

absl::StatusOr<int64_t> NextImageKey(Database& database) {
  return database.QueryInt64(kNextKey);
}

absl::StatusOr<bool> HasBlock(Database& database, absl::string_view hash) {
  FAULTLINE_ASSIGN_OR_RETURN(const absl::optional<int64_t> key,
                             FindBlock(database, hash));
  return key.has_value();
}

absl::StatusOr<int64_t> InsertBlocks(Database& database, int64_t image_key,
                                     int64_t first_position,
                                     absl::Span<const Block> blocks) {
  FAULTLINE_RETURN_IF_ERROR(CheckKnown(database, blocks));
  FAULTLINE_RETURN_IF_ERROR(RunWithKey(database, kInsertPurge, image_key));
  FAULTLINE_ASSIGN_OR_RETURN(Statement refer,
                             database.Prepare(kInsertImageBlock));
  int64_t stored_bytes = 0;
  int64_t position = first_position;
  for (const Block& block : blocks) {
    FAULTLINE_ASSIGN_OR_RETURN(absl::optional<int64_t> key,
                               FindBlock(database, block.hash));
    if (key.has_value()) {
      FAULTLINE_RETURN_IF_ERROR(RunWithKey(database, kReferToBlock, *key));
    } else {
      FAULTLINE_ASSIGN_OR_RETURN(key, InsertBlock(database, block));
      stored_bytes += static_cast<int64_t>(block.body.size());
    }
    refer.Bind(1, image_key).Bind(2, position++).Bind(3, *key);
    FAULTLINE_RETURN_IF_ERROR(refer.Run());
    refer.Reset();
  }
  return stored_bytes;
}

absl::Status SetBlockApart(Database& database, absl::string_view hash) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement update, database.Prepare(kSetApart));
  return update.BindBlob(1, hash).Run();
}

absl::Status FinishImage(Database& database, int64_t image_key,
                         const ImageSeal& seal) {
  FAULTLINE_RETURN_IF_ERROR(RunWithKey(database, kDeletePurge, image_key));
  FAULTLINE_ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertImage));
  return insert.Bind(1, image_key)
      .Bind(2, seal.bytes)
      .Bind(3, seal.blocks)
      .BindBlob(4, seal.hash)
      .Run();
}

absl::StatusOr<bool> IsReferredTo(Database& database, int64_t image_key) {
  FAULTLINE_ASSIGN_OR_RETURN(const absl::optional<int64_t> refers,
                             SelectWithKey(database, kAnyReference, image_key));
  return refers.value_or(0) != 0;
}

absl::Status ReleaseImage(Database& database, int64_t image_key) {
  FAULTLINE_ASSIGN_OR_RETURN(const bool referred,
                             IsReferredTo(database, image_key));
  if (referred) return absl::OkStatus();
  return RunWithKey(database, kInsertPurge, image_key);
}

absl::StatusOr<bool> PurgeImages(Database& database,
                                 const absl::flat_hash_set<int64_t>& held,
                                 int64_t blocks_max) {
  FAULTLINE_ASSIGN_OR_RETURN(const absl::optional<int64_t> key,
                             NextPurge(database, held));
  if (!key.has_value()) return false;
  FAULTLINE_ASSIGN_OR_RETURN(const bool some,
                             PurgeReferences(database, *key, blocks_max));
  if (some) return true;
  FAULTLINE_RETURN_IF_ERROR(RunWithKey(database, kDeleteImage, *key));
  FAULTLINE_RETURN_IF_ERROR(RunWithKey(database, kDeletePurge, *key));
  return true;
}

absl::Status ReadBlocks(Database& database, int64_t image_key, int64_t position,
                        absl::FunctionRef<bool(const Block&)> take) {
  FAULTLINE_ASSIGN_OR_RETURN(Statement select, database.Prepare(kSelectBlocks));
  select.Bind(1, image_key).Bind(2, position);
  while (true) {
    FAULTLINE_ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row || select.Int64(0) != position) return absl::OkStatus();
    ++position;
    Block block;
    block.hash = std::string(select.Bytes(1));
    block.encoding = static_cast<BlockEncoding>(select.Int64(2));
    block.unpacked_bytes = select.Int64(3);
    block.body = std::string(select.Bytes(4));
    if (!take(block)) return absl::OkStatus();
  }
}

}  // namespace faultline::storage
