#include "storage/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace faultline::storage {
namespace {

// OpenSSL fails here only when it is out of memory or misconfigured. Going on
// without a hash would write a journal that nobody can verify.
void Check(int result) {
  if (result != 1) std::abort();
}

const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  Check(EVP_DigestInit_ex2(context_, Algorithm(), nullptr));
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

Sha256& Sha256::Add(absl::string_view bytes) {
  Check(EVP_DigestUpdate(context_, bytes.data(), bytes.size()));
  return *this;
}

Sha256& Sha256::AddInt(int64_t value) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  }
  return Add(absl::string_view(bytes, sizeof bytes));
}

Sha256& Sha256::AddSized(absl::string_view bytes) {
  return AddInt(static_cast<int64_t>(bytes.size())).Add(bytes);
}

std::string Sha256::Digest() && {
  std::string digest(kDigestBytes, '\0');
  unsigned int size = 0;
  Check(EVP_DigestFinal_ex(
      context_, reinterpret_cast<unsigned char*>(digest.data()), &size));
  return digest;
}

}  // namespace faultline::storage
