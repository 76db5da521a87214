// A service that joins each of its streams to a TCP port: what stands behind an ALPN when the
// program that serves it is a foreign one.
#include <alknet/core/stream_handler.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/scope.hpp>

#include "interop.hpp"

namespace alknet::interop {

namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

task<result<void>> copy(RecvStream& from, SendStream& to) {
    Bytes buffer(kBufferBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await from.read(buffer));
        if (size == 0) {
            co_return co_await to.finish();
        }
        ALKNET_CO_CHECK(co_await to.write(BytesView(buffer).first(size)));
    }
}

class Splice final : public StreamHandler {
public:
    Splice(Loop& loop, std::shared_ptr<net::Network> network, SocketAddress target)
        : loop_(loop), network_(std::move(network)), target_(target) {}

    [[nodiscard]] std::vector<std::string> alpns() const override {
        return {std::string(kSpliceAlpn)};
    }

private:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext&) override {
        ALKNET_CO_TRY(const auto behind, co_await network_->connect_tcp(loop_, target_));
        const TaskContext context = co_await current_context();
        TaskScope copying(loop_, context.cancel);
        copying.spawn(copy(stream, *behind.stream), "splice.there");
        copying.spawn(copy(*behind.stream, stream), "splice.back");
        co_return co_await copying.join();
    }

    Loop& loop_;
    std::shared_ptr<net::Network> network_;
    SocketAddress target_;
};

}  // namespace

std::shared_ptr<ProtocolHandler> make_splice(Loop& loop, std::shared_ptr<net::Network> network,
                                             SocketAddress target) {
    return std::make_shared<Splice>(loop, std::move(network), target);
}

}  // namespace alknet::interop
