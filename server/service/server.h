// The gRPC server: listens, answers, and stops without losing what it accepted.
// main and the tests start the same one.
#ifndef FAULTLINE_SERVER_SERVICE_SERVER_H_
#define FAULTLINE_SERVER_SERVICE_SERVER_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/gradebook/gradebook.h"
#include "server/service/drain.h"
#include "server/session/session_table.h"

namespace faultline {

inline constexpr char kDefaultListen[] = "127.0.0.1:50051";

// The server is thread-safe; `table` and `gradebook` must outlive it.
class Server {
 public:
  struct Options {
    std::string listen = kDefaultListen;  // port 0: any free one
    // Needed to listen where others can reach it: there is no authentication.
    bool allow_remote = false;
    bool reflection = true;
    int workers = 2;  // threads for replays and the like
  };

  // What Start would refuse before it starts anything. The errors, Start's too,
  // are those of server/service/listen.h.
  static absl::Status Check(const Options& options);

  static absl::StatusOr<std::unique_ptr<Server>> Start(SessionTable& table,
                                                       Gradebook& gradebook,
                                                       const Options& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const { return port_; }
  // What a client connects to, for example "127.0.0.1:50051".
  const std::string& address() const { return address_; }

  // Stops: health says NOT_SERVING, no new call is accepted, streams end after
  // what they have accepted, calls are answered; calls that still run after
  // `patience` are cancelled. Blocks until all is done. May be called again.
  void Shutdown(absl::Duration patience);

 private:
  struct Services;

  Server();
  absl::Status Listen(SessionTable& table, Gradebook& gradebook,
                      const Options& options);

  DrainList drain_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::string address_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_SERVER_H_
