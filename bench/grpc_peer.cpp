// alknet_grpc_peer: gRPC's side of bench/calls.py, over its callback API and TLS. What it carries
// are octets as they are: neither end looks into them, which is the least that gRPC can cost.
//
//     serve CERTIFICATE KEY             prints one JSON line
//     calls PORT CERTIFICATE DEPTH N    64 octets there and back, DEPTH at a time, over one channel
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using grpc::ByteBuffer;

constexpr const char* kMethod = "/bench.Calls/Echo";
constexpr std::size_t kOctets = 64;

std::string content_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// What protoc would write for one unary method of octets.
class EchoService final : public grpc::Service {
public:
    EchoService() {
        AddMethod(new grpc::internal::RpcServiceMethod(
            kMethod, grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
        MarkMethodCallback(0, new grpc::internal::CallbackUnaryHandler<ByteBuffer, ByteBuffer>(
                                  [](grpc::CallbackServerContext* context, const ByteBuffer* asked,
                                     ByteBuffer* answer) -> grpc::ServerUnaryReactor* {
                                      *answer = *asked;
                                      grpc::ServerUnaryReactor* const reactor =
                                          context->DefaultReactor();
                                      reactor->Finish(grpc::Status::OK);
                                      return reactor;
                                  }));
    }
};

int serve(const std::string& certificate, const std::string& key) {
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({content_of(key), content_of(certificate)});
    EchoService service;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) {
        return 1;
    }
    std::printf("{\"port\":%d}\n", port);
    std::fflush(stdout);
    server->Wait();
    return 0;
}

/// Calls until there are none left; as many of these run as calls at a time.
class Caller {
public:
    Caller(grpc::GenericStub& stub, std::atomic<long>& left, std::atomic<long>& failed)
        : stub_(stub), left_(left), failed_(failed) {
        const grpc::Slice octets(std::string(kOctets, 'x'));
        asked_ = ByteBuffer(&octets, 1);
    }
    std::future<void> begin() {
        auto ended = ended_.get_future();
        next();
        return ended;
    }

private:
    void next() {
        if (left_.fetch_sub(1) <= 0) {
            ended_.set_value();
            return;
        }
        context_ = std::make_unique<grpc::ClientContext>();
        stub_.UnaryCall(context_.get(), kMethod, grpc::StubOptions(), &asked_, &answer_,
                        [this](const grpc::Status& status) {
                            if (!status.ok() || answer_.Length() != kOctets) {
                                ++failed_;
                            }
                            next();
                        });
    }

    grpc::GenericStub& stub_;
    std::atomic<long>& left_;
    std::atomic<long>& failed_;
    ByteBuffer asked_{};
    ByteBuffer answer_{};
    std::unique_ptr<grpc::ClientContext> context_{};
    std::promise<void> ended_{};
};

int calls(const std::vector<std::string>& words) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = content_of(words[2]);
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    const auto channel =
        grpc::CreateCustomChannel("127.0.0.1:" + words[1], grpc::SslCredentials(tls), arguments);
    grpc::GenericStub stub(channel);
    std::atomic<long> left = std::strtol(words[4].c_str(), nullptr, 10);
    std::atomic<long> failed = 0;
    std::vector<std::unique_ptr<Caller>> callers;
    std::vector<std::future<void>> ended;
    for (long i = std::strtol(words[3].c_str(), nullptr, 10); i > 0; --i) {
        callers.push_back(std::make_unique<Caller>(stub, left, failed));
        ended.push_back(callers.back()->begin());
    }
    for (auto& one : ended) {
        one.wait();
    }
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() == 3 && words[0] == "serve") {
        return serve(words[1], words[2]);
    }
    if (words.size() == 5 && words[0] == "calls") {
        return calls(words);
    }
    std::fputs("see the top of bench/grpc_peer.cpp\n", stderr);
    return 2;
}
