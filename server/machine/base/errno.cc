#include "server/machine/base/errno.h"

namespace faultline {

std::string_view ErrnoName(Errno e) {
  switch (e) {
#define FL_NAME(n)  \
  case Errno::k##n: \
    return #n
    FL_NAME(EPERM);
    FL_NAME(ENOENT);
    FL_NAME(ESRCH);
    FL_NAME(EINTR);
    FL_NAME(EIO);
    FL_NAME(ENXIO);
    FL_NAME(E2BIG);
    FL_NAME(ENOEXEC);
    FL_NAME(EBADF);
    FL_NAME(ECHILD);
    FL_NAME(EAGAIN);
    FL_NAME(ENOMEM);
    FL_NAME(EACCES);
    FL_NAME(EFAULT);
    FL_NAME(EBUSY);
    FL_NAME(EEXIST);
    FL_NAME(ENODEV);
    FL_NAME(ENOTDIR);
    FL_NAME(EISDIR);
    FL_NAME(EINVAL);
    FL_NAME(ENFILE);
    FL_NAME(EMFILE);
    FL_NAME(ENOTTY);
    FL_NAME(ETXTBSY);
    FL_NAME(EFBIG);
    FL_NAME(ENOSPC);
    FL_NAME(ESPIPE);
    FL_NAME(EROFS);
    FL_NAME(ENOSYS);
    FL_NAME(ELIBBAD);
    FL_NAME(EOVERFLOW);
    FL_NAME(EOPNOTSUPP);
#undef FL_NAME
    case Errno::kOk:
      break;
  }
  return "";
}

}  // namespace faultline
