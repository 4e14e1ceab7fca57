#include "server/session/execute.h"

#include <exception>
#include <new>

#include "server/codec/errors.h"
#include "server/machine/config_error.h"

namespace faultline {
namespace {

// Whatever else the simulator throws is a broken rule as well, KernelBug or
// not: one session ends of it, not the server.
template <class Body>
Ended Guard(std::string& what, Body body) {
  try {
    body();
    return Ended::kWell;
  } catch (const ConfigError& error) {
    what = error.what();
    return Ended::kConfigRefused;
  } catch (const std::bad_alloc&) {
    what = "out of memory";
    return Ended::kOutOfMemory;
  } catch (const std::exception& bug) {
    what = bug.what();
    return Ended::kPanicked;
  }
}

}  // namespace

MachineRunner ApplyRunner() {
  return [](Machine& machine, const Command& command, EventLevel level) {
    return machine.Apply(command, level);
  };
}

Executed RunCommand(const MachineRunner& runner, Machine& machine,
                    const Command& command, EventLevel level) {
  Executed executed;
  executed.ended = Guard(executed.what, [&] {
    executed.outcome = runner(machine, command, level);
  });
  if (executed.ended == Ended::kConfigRefused)
    executed.ended = Ended::kPanicked;
  return executed;
}

Booted BootMachine(const MachineConfig& config) {
  Booted booted;
  booted.ended = Guard(
      booted.what, [&] { booted.machine = std::make_unique<Machine>(config); });
  return booted;
}

Saved SaveMachine(const Machine& machine, const ByteSink& sink) {
  Saved saved;
  saved.ended = Guard(saved.what, [&] {
    saved.fingerprint = machine.Fingerprint();
    machine.Save(sink);
  });
  return saved;
}

Booted LoadMachine(uint64_t bytes, const ByteSource& source) {
  Booted loaded;
  loaded.ended = Guard(loaded.what, [&] {
    loaded.machine = std::make_unique<Machine>(Machine::Load(bytes, source));
  });
  return loaded;
}

std::unique_ptr<Machine> CopyMachine(const Machine& machine) {
  std::unique_ptr<Machine> copy;
  std::string what;
  Guard(what, [&] { copy = std::make_unique<Machine>(machine); });
  return copy;
}

absl::Status OutOfMemory() {
  absl::Status status = absl::ResourceExhaustedError(
      "the server has no memory left for this machine: nothing was recorded; "
      "try again later");
  errors::SetErrorInfo(status, "OUT_OF_MEMORY");
  return status;
}

}  // namespace faultline
