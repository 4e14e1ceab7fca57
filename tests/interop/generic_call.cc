#include "tests/interop/generic_call.h"

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "client/cpp/error.h"
#include "faultline/v1/grading.pb.h"
#include "faultline/v1/history.pb.h"
#include "faultline/v1/inspect.pb.h"
#include "faultline/v1/machine.pb.h"
#include "faultline/v1/session.pb.h"

namespace faultline::interop {
namespace {

namespace pb = google::protobuf;

constexpr std::chrono::seconds kTimeout{60};

// The generated classes bring the contract's descriptors into the pool.
const pb::MethodDescriptor* FindMethod(std::string rpc) {
  for (const pb::Descriptor* used :
       {v1::Session::descriptor(), v1::RunRequest::descriptor(),
        v1::Vma::descriptor(), v1::JournalEntry::descriptor(),
        v1::Attempt::descriptor()}) {
    if (used == nullptr) throw std::logic_error("no descriptor");
  }
  rpc[rpc.find('/')] = '.';
  const auto* method =
      pb::DescriptorPool::generated_pool()->FindMethodByName(rpc);
  if (method == nullptr) throw std::runtime_error("no rpc " + rpc);
  return method;
}

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToBytes(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices);
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

class Caller {
 public:
  explicit Caller(const std::string& address)
      : stub_(grpc::CreateCustomChannel(
            address, grpc::InsecureChannelCredentials(), Arguments())),
        address_(address) {}
  ~Caller() { queue_.Shutdown(); }

  Answer Make(const Json& step) {
    const std::string rpc = step["rpc"];
    if (const auto raw = step.find("rawRequest"); raw != step.end()) {
      std::string bytes;
      absl::Base64Unescape(raw->get<std::string>(), &bytes);
      return Exchange(rpc, {bytes}, nullptr);
    }
    const pb::MethodDescriptor* method = FindMethod(rpc);
    Json requests = Json::array({step.value("request", Json::object())});
    if (step.contains("requests")) requests = step["requests"];
    std::vector<std::string> messages;
    for (const Json& request : requests) {
      messages.push_back(Encode(request, method->input_type()));
    }
    return Exchange(rpc, messages, method->output_type());
  }

 private:
  static grpc::ChannelArguments Arguments() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    return arguments;
  }

  // Every kind of call is the same on the wire: requests, then responses.
  Answer Exchange(const std::string& rpc,
                  const std::vector<std::string>& requests,
                  const pb::Descriptor* response_type) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTimeout);
    const auto call = stub_.PrepareCall(&context, "/" + rpc, &queue_);
    call->StartCall(nullptr);
    bool ok = Wait();
    for (size_t i = 0; ok && i < requests.size(); ++i) {
      call->Write(ToBuffer(requests[i]), nullptr);
      ok = Wait();
    }
    if (ok) {
      call->WritesDone(nullptr);
      Wait();
    }
    Answer answer;
    for (;;) {
      grpc::ByteBuffer response;
      call->Read(&response, nullptr);
      if (!Wait()) break;
      answer.responses.push_back(Decode(ToBytes(response), response_type));
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    Wait();
    if (!status.ok()) answer.failure = ToFailure(status);
    return answer;
  }

  bool Wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  std::string Encode(const Json& json, const pb::Descriptor* type) {
    const std::unique_ptr<pb::Message> message(
        factory_.GetPrototype(type)->New());
    const auto status =
        pb::util::JsonStringToMessage(json.dump(), message.get());
    if (!status.ok()) throw std::runtime_error(status.ToString());
    return message->SerializeAsString();
  }

  Json Decode(const std::string& bytes, const pb::Descriptor* type) {
    if (type == nullptr) return bytes;
    const std::unique_ptr<pb::Message> message(
        factory_.GetPrototype(type)->New());
    if (!message->ParseFromString(bytes)) throw std::runtime_error("garbage");
    pb::util::JsonPrintOptions options;
    options.always_print_primitive_fields = true;
    std::string text;
    const auto status = pb::util::MessageToJsonString(*message, &text, options);
    if (!status.ok()) throw std::runtime_error(status.ToString());
    return Json::parse(text);
  }

  Failure ToFailure(const grpc::Status& grpc_status) const {
    const absl::Status status = client::FromGrpc(grpc_status, address_);
    Failure failure;
    failure.code = absl::StatusCodeToString(status.code());
    failure.message = std::string(status.message());
    const auto details = client::DetailsOf(status);
    if (!details) return failure;
    if (details->domain == "faultline.dev") failure.reason = details->reason;
    failure.metadata = details->metadata;
    for (const auto& violation : details->violations) {
      failure.violations.push_back(violation.field);
    }
    failure.retry = details->retry_delay.has_value();
    return failure;
  }

  pb::DynamicMessageFactory factory_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::string address_;
};

}  // namespace

Call GenericCall(const std::string& address) {
  const auto caller = std::make_shared<Caller>(address);
  return [caller](const Json& step) { return caller->Make(step); };
}

}  // namespace faultline::interop
