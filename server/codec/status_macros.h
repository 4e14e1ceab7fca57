// Early return on a bad absl::Status, for the layers above the machine.
#ifndef FAULTLINE_SERVER_CODEC_STATUS_MACROS_H_
#define FAULTLINE_SERVER_CODEC_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define FL_RETURN_IF_ERROR(expression)     \
  do {                                     \
    absl::Status fl_status = (expression); \
    if (!fl_status.ok()) return fl_status; \
  } while (false)

#define FL_ASSIGN_OR_RETURN(target, expression)                       \
  FL_ASSIGN_OR_RETURN_1(FL_CONCATENATE(fl_result_, __LINE__), target, \
                        expression)
#define FL_ASSIGN_OR_RETURN_1(result, target, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return std::move(result).status();    \
  target = *std::move(result)
#define FL_CONCATENATE(a, b) FL_CONCATENATE_1(a, b)
#define FL_CONCATENATE_1(a, b) a##b

#endif  // FAULTLINE_SERVER_CODEC_STATUS_MACROS_H_
