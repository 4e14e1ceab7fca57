// Early return on a bad absl::Status; abseil 20220623 does not bring these.
#ifndef FAULTLINE_STORAGE_STATUS_MACROS_H_
#define FAULTLINE_STORAGE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define FAULTLINE_RETURN_IF_ERROR(expression)            \
  do {                                                   \
    absl::Status faultline_status = (expression);        \
    if (!faultline_status.ok()) return faultline_status; \
  } while (false)

#define FAULTLINE_ASSIGN_OR_RETURN(target, expression) \
  FAULTLINE_ASSIGN_OR_RETURN_1(                        \
      FAULTLINE_CONCATENATE(faultline_result_, __LINE__), target, expression)

#define FAULTLINE_ASSIGN_OR_RETURN_1(result, target, expression) \
  auto result = (expression);                                    \
  if (!result.ok()) return std::move(result).status();           \
  target = *std::move(result)

#define FAULTLINE_CONCATENATE(a, b) FAULTLINE_CONCATENATE_1(a, b)
#define FAULTLINE_CONCATENATE_1(a, b) a##b

#endif  // FAULTLINE_STORAGE_STATUS_MACROS_H_
