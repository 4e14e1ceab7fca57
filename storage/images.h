// Images: bytes that many may have in part or as a whole, kept as blocks. A
// snapshot refers to one, and so does a session that was restored from it.
//
// The functions that change something run inside the writer's transaction.
#ifndef FAULTLINE_STORAGE_IMAGES_H_
#define FAULTLINE_STORAGE_IMAGES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/block.h"
#include "storage/database.h"

namespace faultline::storage {

// What is known of an image once it is whole.
struct ImageSeal {
  int64_t bytes = 0;
  int64_t blocks = 0;
  std::string hash;  // of the hashes of its blocks, in order
};

// Draft images: what is written of them is garbage until FinishImage.

// A key that no image of this database has.
absl::StatusOr<int64_t> NextImageKey(Database& database);

// Adds blocks to a draft, from `first_position` on. Returns the bytes that the
// database did not have. ABORTED, reason BLOCK_GONE, when a block comes without
// a body and the database does not have it (any more); nothing is changed then.
absl::StatusOr<int64_t> InsertBlocks(Database& database, int64_t image_key,
                                     int64_t first_position,
                                     absl::Span<const Block> blocks);
absl::StatusOr<bool> HasBlock(Database& database, absl::string_view hash);
// Nobody may share a damaged block any more: who has these bytes next stores
// them again.
absl::Status SetBlockApart(Database& database, absl::string_view hash);
absl::Status FinishImage(Database& database, int64_t image_key,
                         const ImageSeal& seal);

// Whether a snapshot or a session has this image.
absl::StatusOr<bool> IsReferredTo(Database& database, int64_t image_key);
// Leaves an image to PurgeImages unless somebody still refers to it.
absl::Status ReleaseImage(Database& database, int64_t image_key);

// Deletes up to `blocks_max` references of images that nobody refers to, and
// the blocks that were referred to last by them. Drafts in `held` are left
// alone. False when there is nothing left.
absl::StatusOr<bool> PurgeImages(Database& database,
                                 const absl::flat_hash_set<int64_t>& held,
                                 int64_t blocks_max);

// Calls `take` for each block from `position` on until it returns false. A gap
// ends it as well. A block that has lost its body comes with an unknown
// encoding.
absl::Status ReadBlocks(Database& database, int64_t image_key, int64_t position,
                        absl::FunctionRef<bool(const Block&)> take);

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_IMAGES_H_
