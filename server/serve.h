// `faultline serve`: flags -> a store, a session table, a gRPC server -> until
// a signal.
#ifndef FAULTLINE_SERVER_SERVE_H_
#define FAULTLINE_SERVER_SERVE_H_

#include <functional>
#include <string>

#include "server/service/server.h"
#include "server/session/session_table.h"
#include "storage/store.h"

namespace CLI {
class App;
}

namespace faultline {

// The exit status of `faultline serve`; that of a wrong flag is the command
// line's own, 3.
enum ServeExit {
  kServeStopped = 0,      // by SIGTERM or SIGINT, everything answered
  kServeAddressBad = 4,   // nobody can listen there
  kServeDataBad = 5,      // the data directory cannot be used
  kServeInterrupted = 6,  // by a second signal: calls were cut off
};

struct ServeOptions {
  Server::Options server;
  storage::Store::Options store;
  SessionTable::Options table;
};

// Serves until SIGTERM or SIGINT. Says on stdout where it listens, once it
// does; everything else goes to stderr. To be called before any thread starts.
int Serve(const ServeOptions& options);

// Declares the flags of `faultline serve` and gives back what runs it.
std::function<int()> AddServe(CLI::App& serve);

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVE_H_
