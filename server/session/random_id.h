// Names that the server chooses.
#ifndef FAULTLINE_SERVER_SESSION_RANDOM_ID_H_
#define FAULTLINE_SERVER_SESSION_RANDOM_ID_H_

#include <string>

namespace faultline {

// Such as nobody guesses and everybody can type: a letter, then letters and
// digits. REQUIRES: length > 0.
std::string RandomId(int length);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SESSION_RANDOM_ID_H_
