// A MachineConfig that describes no machine this simulator can be.
#ifndef FAULTLINE_SERVER_MACHINE_CONFIG_ERROR_H_
#define FAULTLINE_SERVER_MACHINE_CONFIG_ERROR_H_

#include <stdexcept>

namespace faultline {

class ConfigError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_MACHINE_CONFIG_ERROR_H_
