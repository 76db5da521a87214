// Two TLS ends over a pipe in memory, on one loop.
#pragma once

#include <gtest/gtest.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/memory_stream.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/tls/session.hpp>
#include <alknet/tls/stream.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace alknet::tls {

/// A directory of its own for each test, gone at its end.
class TempDir {
public:
    TempDir() {
        std::string pattern = testing::TempDir() + "alknet-tls-XXXXXX";
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

/// A registry of services that counts how often it was asked.
class Services final : public AlpnSelector {
public:
    explicit Services(std::vector<std::string> names = {"alknet/echo"}) : names(std::move(names)) {}

    std::string select_alpn(const ClientHello& hello) override {
        ++asked;
        if (!hello.has_alpn) {
            return without_alpn;
        }
        for (const std::string_view offered : hello.alpns) {
            if (std::ranges::find(names, offered) != names.end()) {
                return std::string(offered);
            }
        }
        return {};
    }

    std::vector<std::string> names;
    std::string without_alpn;
    int asked = 0;
};

using Tls = std::unique_ptr<TlsStream>;

struct Handshake {
    result<Tls> server = fail(causes::kInternal, "did not end");
    result<Tls> client = fail(causes::kInternal, "did not end");

    [[nodiscard]] bool both() const { return server && client; }
    /// What went wrong, for a failing test.
    [[nodiscard]] std::string why() const {
        return "server: " + (server ? "ok" : server.error().message()) +
               "; client: " + (client ? "ok" : client.error().message());
    }
};

inline task<void> accept_into(Loop& loop, std::unique_ptr<ByteStream> lower,
                              std::shared_ptr<const TlsContext> context, AlpnSelector& selector,
                              result<Tls>& into) {
    into = co_await accept_tls(loop, std::move(lower), std::move(context), selector);
}

inline task<void> connect_into(Loop& loop, std::unique_ptr<ByteStream> lower, ClientOptions options,
                               result<Tls>& into) {
    into = co_await connect_tls(loop, std::move(lower), std::move(options));
}

inline task<result<void>> write_all(SendStream& stream, std::string text) {
    co_return co_await stream.write(as_bytes(text));
}

inline task<result<std::string>> read_some(RecvStream& stream, std::size_t most = 1 << 16) {
    Bytes buffer(most);
    ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
    co_return std::string(as_text(BytesView(buffer).first(count)));
}

class TlsTest : public testing::Test {
protected:
    static std::shared_ptr<const TlsContext> context(ContextOptions options) {
        if (options.key == nullptr) {
            options.key = NodeKey::generate();
        }
        return TlsContext::create(std::move(options)).value();
    }
    static std::shared_ptr<const TlsContext> context() { return context(ContextOptions{}); }

    [[nodiscard]] ClientOptions pinned(NodeId id,
                                       std::vector<std::string> alpns = {"alknet/echo"}) {
        return ClientOptions{.context = client_context,
                             .alpns = std::move(alpns),
                             .verify = VerifyPin{id},
                             .server_name = {},
                             .resumption = {}};
    }

    task<void> shake(std::shared_ptr<const TlsContext> server, AlpnSelector& selector,
                     ClientOptions options, net::MemoryStreamOptions pipe, Handshake& outcome) {
        auto [a, b] = net::make_memory_streams(pipe, pipe);
        TaskScope scope(*loop);
        scope.spawn(accept_into(*loop, std::move(a), std::move(server), selector, outcome.server),
                    "server");
        scope.spawn(connect_into(*loop, std::move(b), std::move(options), outcome.client),
                    "client");
        (void)co_await scope.join();
    }

    Handshake handshake(const std::shared_ptr<const TlsContext>& server, AlpnSelector& selector,
                        ClientOptions options, net::MemoryStreamOptions pipe = {}) {
        Handshake outcome;
        block_on(*loop, shake(server, selector, std::move(options), pipe, outcome));
        return outcome;
    }

    SystemClock clock;
    std::unique_ptr<Loop> loop = *Loop::create(clock);
    std::shared_ptr<const TlsContext> server_context = context();
    std::shared_ptr<const TlsContext> client_context = context();
    Services services;
};

}  // namespace alknet::tls
