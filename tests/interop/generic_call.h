// Calls by name: a request and its responses as JSON, without a stub.
#ifndef FAULTLINE_TESTS_INTEROP_GENERIC_CALL_H_
#define FAULTLINE_TESTS_INTEROP_GENERIC_CALL_H_

#include <string>

#include "tests/interop/table.h"

namespace faultline::interop {

// Makes the calls of a table to the server at host:port, with dynamic messages
// over grpc::GenericStub.
Call GenericCall(const std::string& address);

}  // namespace faultline::interop

#endif  // FAULTLINE_TESTS_INTEROP_GENERIC_CALL_H_
