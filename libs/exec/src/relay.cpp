#include "relay.hpp"

#include <alknet/base/causes.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <vector>

namespace alknet::exec {

namespace {

constexpr std::size_t kBufferBytes = 16 << 10;

task<result<void>> to_program(BiStream& peer, BiStream& program) {
    std::vector<std::byte> buffer(kBufferBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await peer.read(buffer));
        auto taken =
            size == 0 ? co_await program.finish() : co_await program.write({buffer.data(), size});
        if (!taken && taken.error().is(errc::cancelled)) {
            co_return taken;
        }
        if (!taken) {
            peer.stop(0);  // the program reads no further, and may still speak
        }
        if (!taken || size == 0) {
            co_return result<void>();
        }
    }
}

task<result<void>> to_peer(BiStream& peer, BiStream& program) {
    std::vector<std::byte> buffer(kBufferBytes);
    for (;;) {
        auto size = co_await program.read(buffer);
        if (!size && size.error().is(errc::cancelled)) {
            co_return unexpected(std::move(size).error());
        }
        if (!size || *size == 0) {
            co_return co_await peer.finish();
        }
        ALKNET_CO_CHECK(co_await peer.write({buffer.data(), *size}));
    }
}

}  // namespace

task<result<void>> relay(BiStream& peer, BiStream& program) {
    const TaskContext context = co_await current_context();
    TaskScope scope(*context.loop, context.cancel);
    scope.spawn(to_program(peer, program), "exec.to_program");
    scope.spawn(to_peer(peer, program), "exec.to_peer");
    auto joined = co_await scope.join();
    if (joined && context.cancel != nullptr && context.cancel->requested()) {
        co_return fail(causes::kCancelled);
    }
    co_return joined;
}

}  // namespace alknet::exec
