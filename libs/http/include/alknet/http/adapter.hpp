// HttpAdapter: HTTP/1.1, or HTTP/2 where that is the service, on each stream of a connection, which
// over TLS on TCP is the one there is; or HTTP/3 on a whole connection of QUIC.
#pragma once

#include <alknet/base/log.hpp>
#include <alknet/base/metrics.hpp>
#include <alknet/core/stream_handler.hpp>
#include <alknet/http/h3_extension.hpp>
#include <alknet/http/site.hpp>
#include <alknet/rt/snapshot.hpp>
#include <memory>
#include <string>
#include <vector>

namespace alknet::http {

struct DriverOptions;

/// Browsers and everybody else over TLS on TCP; also who names no protocol at all.
inline constexpr std::string_view kHttp11Alpn = "http/1.1";
/// Browsers that have the choice.
inline constexpr std::string_view kHttp2Alpn = "h2";
/// The same, and everybody who has been told of it, over QUIC alone.
inline constexpr std::string_view kHttp3Alpn = "h3";
/// HTTP/1.1 for peers of this project, on any transport and with their keys.
inline constexpr std::string_view kAlknetHttpAlpn = "alknet/http";

struct HttpAdapterOptions {
    /// Of all loops. A connection uses what it is when its next request begins, and the limits
    /// from when it was made.
    std::shared_ptr<const Snapshot<Sites>> sites;
    Log log;
    std::shared_ptr<Metrics> metrics;  // null: nobody looks
    /// What HTTP/3 carries besides requests; null: nothing.
    std::shared_ptr<Http3Extension> h3_extension{};
};

/// Belongs to one loop.
class HttpAdapter final : public StreamHandler {
public:
    explicit HttpAdapter(HttpAdapterOptions options);
    ~HttpAdapter() override;

    [[nodiscard]] std::vector<std::string> alpns() const override;
    task<result<void>> handle(std::shared_ptr<Connection> connection, AuthContext auth) override;
    /// Requests that are being answered are the last of their connections.
    task<void> shutdown() override;

private:
    struct Shared;
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override;
    task<result<void>> handle_h3(std::unique_ptr<StreamContext> context);
    [[nodiscard]] DriverOptions driver_options(const StreamContext& context) const;

    template <class Driver>
    task<result<void>> run(Driver& driver);

    const std::unique_ptr<Shared> shared_;
};

}  // namespace alknet::http
