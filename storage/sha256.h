// SHA-256, from OpenSSL's libcrypto (which gRPC brings anyway).
#ifndef FAULTLINE_STORAGE_SHA256_H_
#define FAULTLINE_STORAGE_SHA256_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace faultline::storage {

// Hashes what is added to it, in order. A sequence of Adds hashes like one Add
// of the concatenation, so variable parts need their length in front.
class Sha256 {
 public:
  static constexpr size_t kDigestBytes = 32;

  Sha256();
  ~Sha256();
  Sha256& Add(absl::string_view bytes);
  Sha256& AddInt(int64_t value);              // eight bytes, little-endian
  Sha256& AddSized(absl::string_view bytes);  // after their number
  std::string Digest() &&;                    // kDigestBytes long

 private:
  evp_md_ctx_st* const context_;
};

}  // namespace faultline::storage

#endif  // FAULTLINE_STORAGE_SHA256_H_
