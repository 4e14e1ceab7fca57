#include "server/session/random_id.h"

#include "absl/random/random.h"

namespace faultline {

std::string RandomId(int length) {
  constexpr char kAlphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
  absl::BitGen random;
  std::string id;
  id.push_back(kAlphabet[absl::Uniform(random, 0, 24)]);  // a letter
  while (static_cast<int>(id.size()) < length) {
    id.push_back(kAlphabet[absl::Uniform(random, 0, 32)]);
  }
  return id;
}

}  // namespace faultline
