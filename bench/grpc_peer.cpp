// alknet_grpc_peer: gRPC's side of bench/calls.py, over its callback API and TLS. What it carries
// are octets as they are: neither end looks into them, which is the least that gRPC can cost.
//
//     serve CERTIFICATE KEY             prints one JSON line
//     calls PORT CERTIFICATE DEPTH N SIZE
//                                       SIZE octets there and back, DEPTH at a time, over one
//                                       channel
//     items PORT CERTIFICATE N          a stream of N messages of 64 octets
//     idle PORT CERTIFICATE N           N channels, each with a connection and one call: prints a
//                                       line once all are there, ends with standard input
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
constexpr const char* kItemsMethod = "/bench.Calls/Items";
constexpr std::size_t kOctets = 64;

std::string content_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

ByteBuffer octets_of(std::size_t size) {
    const grpc::Slice octets(std::string(size, 'x'));
    return {&octets, 1};
}

/// As many messages as the request has in decimal.
class ItemsReactor final : public grpc::ServerWriteReactor<ByteBuffer> {
public:
    explicit ItemsReactor(const ByteBuffer& asked) : item_(octets_of(kOctets)) {
        std::vector<grpc::Slice> slices;
        (void)asked.Dump(&slices);
        std::string text;
        for (const grpc::Slice& slice : slices) {
            text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
        }
        left_ = std::strtol(text.c_str(), nullptr, 10);
        next();
    }
    void OnWriteDone(bool good) override {
        if (good) {
            next();
        } else {
            Finish(grpc::Status::CANCELLED);
        }
    }
    void OnDone() override { delete this; }

private:
    void next() {
        if (left_-- <= 0) {
            Finish(grpc::Status::OK);
        } else {
            StartWrite(&item_);
        }
    }
    long left_ = 0;
    const ByteBuffer item_;
};

/// What protoc would write for one unary method of octets, and one that streams.
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
        AddMethod(new grpc::internal::RpcServiceMethod(
            kItemsMethod, grpc::internal::RpcMethod::SERVER_STREAMING, nullptr));
        MarkMethodCallback(
            1, new grpc::internal::CallbackServerStreamingHandler<ByteBuffer, ByteBuffer>(
                   [](grpc::CallbackServerContext*, const ByteBuffer* asked) {
                       return new ItemsReactor(*asked);
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
    Caller(grpc::GenericStub& stub, std::size_t size, std::atomic<long>& left,
           std::atomic<long>& failed)
        : stub_(stub), size_(size), left_(left), failed_(failed), asked_(octets_of(size)) {}
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
                            if (!status.ok() || answer_.Length() != size_) {
                                ++failed_;
                            }
                            next();
                        });
    }

    grpc::GenericStub& stub_;
    const std::size_t size_;
    std::atomic<long>& left_;
    std::atomic<long>& failed_;
    ByteBuffer asked_;
    ByteBuffer answer_{};
    std::unique_ptr<grpc::ClientContext> context_{};
    std::promise<void> ended_{};
};

long number(const std::string& text) {
    return std::strtol(text.c_str(), nullptr, 10);
}

/// `own`: with a connection that no other channel has.
std::shared_ptr<grpc::Channel> connect(const std::vector<std::string>& words, bool own = false) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = content_of(words[2]);
    grpc::ChannelArguments arguments;
    arguments.SetSslTargetNameOverride("localhost");
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, own ? 1 : 0);
    return grpc::CreateCustomChannel("127.0.0.1:" + words[1], grpc::SslCredentials(tls), arguments);
}

class ItemsReader final : public grpc::ClientReadReactor<ByteBuffer> {
public:
    void OnReadDone(bool good) override {
        if (good) {
            ++taken_;
            StartRead(&item_);
        }
    }
    void OnDone(const grpc::Status& status) override { ended_.set_value(status.ok()); }
    void begin() {
        StartRead(&item_);
        StartCall();
    }
    /// How many there were; 0: it did not end in order.
    long wait() { return ended_.get_future().get() ? taken_ : 0; }

private:
    ByteBuffer item_{};
    long taken_ = 0;
    std::promise<bool> ended_{};
};

int items(const std::vector<std::string>& words) {
    const auto channel = connect(words);
    const grpc::internal::RpcMethod method(kItemsMethod,
                                           grpc::internal::RpcMethod::SERVER_STREAMING, channel);
    const grpc::Slice count(words[3]);
    const ByteBuffer asked(&count, 1);
    grpc::ClientContext context;
    ItemsReader reader;
    grpc::internal::ClientCallbackReaderFactory<ByteBuffer>::Create(channel.get(), method, &context,
                                                                    &asked, &reader);
    reader.begin();
    return reader.wait() == number(words[3]) ? 0 : 1;
}

int idle(const std::vector<std::string>& words) {
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    std::atomic<long> failed = 0;
    for (long i = number(words[3]); i > 0; --i) {
        channels.push_back(connect(words, true));
        grpc::GenericStub stub(channels.back());
        std::atomic<long> left = 1;
        Caller caller(stub, kOctets, left, failed);
        caller.begin().wait();
    }
    std::printf("{\"callers\":%zu}\n", channels.size());
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return failed == 0 ? 0 : 1;
}

int calls(const std::vector<std::string>& words) {
    grpc::GenericStub stub(connect(words));
    std::atomic<long> left = number(words[4]);
    std::atomic<long> failed = 0;
    std::vector<std::unique_ptr<Caller>> callers;
    std::vector<std::future<void>> ended;
    for (long i = number(words[3]); i > 0; --i) {
        const auto size = static_cast<std::size_t>(number(words[5]));
        callers.push_back(std::make_unique<Caller>(stub, size, left, failed));
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
    if (words.size() == 6 && words[0] == "calls") {
        return calls(words);
    }
    if (words.size() == 4 && words[0] == "items") {
        return items(words);
    }
    if (words.size() == 4 && words[0] == "idle") {
        return idle(words);
    }
    std::fputs("see the top of bench/grpc_peer.cpp\n", stderr);
    return 2;
}
