#include "client/cpp/diagnosis.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace faultline::client {
namespace {

absl::Status BadAddress(absl::string_view address, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", address, "' is not the address of a server: ", why,
                   "; write host:port, such as localhost:", kDefaultPort));
}

absl::Status CheckPort(absl::string_view address, absl::string_view port) {
  int number = 0;
  if (!absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
    return BadAddress(
        address, absl::StrCat("'", port, "' is not a port from 1 to 65535"));
  }
  return absl::OkStatus();
}

// The host part, without the brackets of an IPv6 address.
absl::string_view HostOf(absl::string_view address) {
  if (absl::ConsumePrefix(&address, "[")) {
    return address.substr(0, address.find(']'));
  }
  return address.substr(0, address.rfind(':'));
}

const char* ProxyVariable() {
  for (const char* name :
       {"grpc_proxy", "https_proxy", "http_proxy", "HTTPS_PROXY"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] != '\0') return name;
  }
  return nullptr;
}

std::string ProxyHint(absl::string_view address) {
  const char* proxy = ProxyVariable();
  if (proxy == nullptr || IsLoopback(address)) return "";
  return absl::StrCat("; the environment variable ", proxy,
                      " sends calls through a proxy: add ", HostOf(address),
                      " to no_proxy if it should not");
}

std::string Unreachable(absl::string_view text, absl::string_view address) {
  const std::string lower = absl::AsciiStrToLower(text);
  const auto says = [&lower](absl::string_view part) {
    return absl::StrContains(lower, part);
  };
  if (says("connection refused")) {
    return absl::StrCat("nothing listens on ", address,
                        ": start a server there with `faultline serve`, or "
                        "give the address of one that runs");
  }
  if (says("no such file or directory") && absl::StartsWith(address, "unix:")) {
    return absl::StrCat("there is no socket ", address,
                        ": start a server with `faultline serve`");
  }
  if (says("dns resolution failed") || says("resolver")) {
    return absl::StrCat("there is no host '", HostOf(address),
                        "': check its spelling and the network",
                        ProxyHint(address));
  }
  if (says("http1") || says("http/2") || says("settings frame") ||
      says("trying to connect") || says("ssl") || says("tls")) {
    return absl::StrCat("what listens on ", address,
                        " does not speak gRPC without TLS: is this the right "
                        "port?");
  }
  if (says("socket closed") || says("connection reset") || says("goaway")) {
    return absl::StrCat("the server at ", address,
                        " closed the connection: it is shutting down, or it is "
                        "not a Faultline server (",
                        text, ")");
  }
  return absl::StrCat("cannot reach the server at ", address, ": ", text,
                      ProxyHint(address));
}

}  // namespace

absl::StatusOr<std::string> NormalizeAddress(absl::string_view address) {
  if (address.empty()) return BadAddress(address, "it is empty");
  if (absl::StartsWith(address, "unix:")) return std::string(address);
  if (absl::StrContains(address, "://")) {
    return BadAddress(address, "it has a scheme");
  }
  if (address.find_first_of(" \t/") != absl::string_view::npos) {
    return BadAddress(address, "it has a character that no host has");
  }
  const size_t bracket = address.rfind(']');
  const size_t colon = address.rfind(':');
  const bool has_port = colon != absl::string_view::npos &&
                        (bracket == absl::string_view::npos || colon > bracket);
  if (!has_port) return absl::StrCat(address, ":", kDefaultPort);
  if (bracket == absl::string_view::npos && address.find(':') != colon) {
    return BadAddress(address, "an IPv6 address goes into brackets");
  }
  absl::Status port = CheckPort(address, address.substr(colon + 1));
  if (!port.ok()) return port;
  if (colon == 0) return absl::StrCat("localhost", address);
  return std::string(address);
}

bool IsLoopback(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const absl::string_view host = HostOf(address);
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

std::string Diagnose(const grpc::Status& status, absl::string_view address) {
  const std::string text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return Unreachable(text, address);
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::StrCat("the server at ", address,
                          " does not have this call: it is not a Faultline "
                          "server, or an older one");
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::StrCat("the server at ", address,
                          " did not answer in time; a command may or may not "
                          "have been executed");
    default:
      return text.empty() ? absl::StrCat("the call to ", address, " failed")
                          : text;
  }
}

}  // namespace faultline::client
