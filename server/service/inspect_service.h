// InspectService: const views of a machine.
#ifndef FAULTLINE_SERVER_SERVICE_INSPECT_SERVICE_H_
#define FAULTLINE_SERVER_SERVICE_INSPECT_SERVICE_H_

#include "faultline/v1/inspect.grpc.pb.h"
#include "server/service/call.h"

namespace faultline {

// Thread-safe; what `context` holds must outlive it.
class InspectServiceImpl final : public v1::InspectService::CallbackService {
 public:
  explicit InspectServiceImpl(const ServiceContext& context)
      : context_(context) {}

  grpc::ServerUnaryReactor* ReadProc(grpc::CallbackServerContext* context,
                                     const v1::ReadProcRequest* request,
                                     v1::ReadProcResponse* response) override;
  grpc::ServerUnaryReactor* ListVmas(grpc::CallbackServerContext* context,
                                     const v1::ListVmasRequest* request,
                                     v1::ListVmasResponse* response) override;
  grpc::ServerUnaryReactor* GetMm(grpc::CallbackServerContext* context,
                                  const v1::GetMmRequest* request,
                                  v1::GetMmResponse* response) override;
  grpc::ServerUnaryReactor* GetReplacement(
      grpc::CallbackServerContext* context,
      const v1::GetReplacementRequest* request,
      v1::GetReplacementResponse* response) override;
  grpc::ServerUnaryReactor* GetVmaTree(
      grpc::CallbackServerContext* context,
      const v1::GetVmaTreeRequest* request,
      v1::GetVmaTreeResponse* response) override;
  grpc::ServerUnaryReactor* ListChunks(
      grpc::CallbackServerContext* context,
      const v1::ListChunksRequest* request,
      v1::ListChunksResponse* response) override;
  grpc::ServerUnaryReactor* WalkPageTable(
      grpc::CallbackServerContext* context,
      const v1::WalkPageTableRequest* request,
      v1::WalkPageTableResponse* response) override;
  grpc::ServerUnaryReactor* GetPage(grpc::CallbackServerContext* context,
                                    const v1::GetPageRequest* request,
                                    v1::GetPageResponse* response) override;
  grpc::ServerUnaryReactor* ListZones(grpc::CallbackServerContext* context,
                                      const v1::ListZonesRequest* request,
                                      v1::ListZonesResponse* response) override;
  grpc::ServerUnaryReactor* GetPageCache(
      grpc::CallbackServerContext* context,
      const v1::GetPageCacheRequest* request,
      v1::GetPageCacheResponse* response) override;
  grpc::ServerUnaryReactor* ListSlabs(grpc::CallbackServerContext* context,
                                      const v1::ListSlabsRequest* request,
                                      v1::ListSlabsResponse* response) override;
  grpc::ServerUnaryReactor* GetFreeAreas(
      grpc::CallbackServerContext* context,
      const v1::GetFreeAreasRequest* request,
      v1::GetFreeAreasResponse* response) override;
  grpc::ServerUnaryReactor* GetLru(grpc::CallbackServerContext* context,
                                   const v1::GetLruRequest* request,
                                   v1::GetLruResponse* response) override;
  grpc::ServerUnaryReactor* ListSwaps(grpc::CallbackServerContext* context,
                                      const v1::ListSwapsRequest* request,
                                      v1::ListSwapsResponse* response) override;
  grpc::ServerUnaryReactor* VerifyMachine(
      grpc::CallbackServerContext* context,
      const v1::VerifyMachineRequest* request,
      v1::VerifyMachineResponse* response) override;

 private:
  const ServiceContext context_;
};

}  // namespace faultline

#endif  // FAULTLINE_SERVER_SERVICE_INSPECT_SERVICE_H_
