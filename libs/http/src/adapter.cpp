#include <alknet/base/causes.hpp>
#include <alknet/http/adapter.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <chrono>
#include <set>
#include <utility>

#include "h1_connection.hpp"
#include "h2_connection.hpp"
#include "h3_connection.hpp"

namespace alknet::http {

namespace {

// Of what the access log says of a path, which anybody can make long.
constexpr std::size_t kLoggedPathBytesMax = 256;
/// How long a client may go on asking over HTTP/3 at once.
constexpr int kAltSvcSeconds = 86'400;

/// How a client says that it speaks HTTP/2 (RFC 9113 section 3.4).
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client begins with, as far as it may be the preface.
class Opening final : public Draining {
public:
    explicit Opening(Cancel* parent) : cancel_(parent) {}
    void drain() noexcept override { cancel_.request(); }

    /// Errors: those of the stream; kCancelled, also when this is drained; kTimeout.
    task<result<void>> read(BiStream& stream, const ConnectionLimits& limits) {
        Duration limit = limits.keep_alive_timeout;
        while (!ended_ && size_ < kPreface.size() && kPreface.starts_with(text())) {
            auto reading = with_timeout(limit, stream.read(MutableBytes(octets_).subspan(size_)));
            ALKNET_CO_TRY(const std::size_t count, co_await std::move(reading).under(cancel_));
            size_ += count;
            ended_ = count == 0;
            limit = limits.header_timeout;
        }
        co_return result<void>();
    }
    [[nodiscard]] std::string_view text() const noexcept {
        return as_text(BytesView(octets_).first(size_));
    }
    [[nodiscard]] bool ended() const noexcept { return ended_; }

private:
    Cancel cancel_;
    std::array<std::byte, kPreface.size()> octets_{};
    std::size_t size_ = 0;
    bool ended_ = false;
};

std::string_view status_class(int status) noexcept {
    switch (status / 100) {
        case 2:
            return "2xx";
        case 3:
            return "3xx";
        case 4:
            return "4xx";
        case 5:
            return "5xx";
        default:
            return "other";
    }
}

/// In the set for as long as it lives.
class Listed {
public:
    Listed(std::set<Draining*>& all, Draining& one) : all_(all), one_(&one) { all_.insert(one_); }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    ~Listed() { all_.erase(one_); }

private:
    std::set<Draining*>& all_;
    Draining* one_;
};

/// Counts for as long as it lives.
class Counted {
public:
    Counted(std::size_t& count, WaitList& ended) : count_(count), ended_(ended) { ++count_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() {
        --count_;
        ended_.wake_all();
    }

private:
    std::size_t& count_;
    WaitList& ended_;
};

// Behind a proxy the port of ours is not the client's.
std::string alt_svc(const ConnectionInfo& info) {
    return info.http3_beside && info.proxy == nullptr
               ? "h3=\":" + std::to_string(info.local.port()) +
                     "\"; ma=" + std::to_string(kAltSvcSeconds)
               : std::string();
}

// The sites are held for as long as the request is answered.
task<Response> answer_by(std::shared_ptr<const Sites> sites, Request& request) {
    co_return co_await sites->answer(request);
}

}  // namespace

struct HttpAdapter::Shared {
    explicit Shared(HttpAdapterOptions o) : options(std::move(o)), sites(*options.sites) {
        if (options.metrics != nullptr) {
            requests = &options.metrics->counters("alknet_http_requests_total",
                                                  "HTTP requests that were answered, or not.",
                                                  {"version", "status"});
        }
    }

    void served(const Served& request, const StreamContext& context) const {
        if (requests != nullptr) {
            requests->with({to_string(request.head.version), status_class(request.status)}).add();
        }
        using Seconds = std::chrono::duration<double>;
        const std::string remote = context.auth.remote.to_string();
        const auto& identity = context.auth.identity;
        const std::string_view id = identity ? std::string_view(identity->id) : "";
        options.log.info(
            "http.request",
            {{"remote_addr", remote},
             {"identity", request.by_token.empty() ? id : request.by_token},
             {"host", request.head.authority},
             {"method", request.head.method},
             {"path", std::string_view(request.head.path).substr(0, kLoggedPathBytesMax)},
             {"version", to_string(request.head.version)},
             {"status", request.status},
             {"bytes", request.bytes},
             {"duration", std::chrono::duration_cast<Seconds>(request.duration).count()},
             {"trace", context.connection->info().trace_id}});
    }

    HttpAdapterOptions options;
    Snapshot<Sites>::Reader sites;
    MetricFamily<Counter>* requests = nullptr;
    std::set<Draining*> connections;
    std::size_t h3_running = 0;
    WaitList h3_ended;
    bool draining = false;
};

HttpAdapter::HttpAdapter(HttpAdapterOptions options)
    : shared_(std::make_unique<Shared>(std::move(options))) {}

HttpAdapter::~HttpAdapter() = default;

std::vector<std::string> HttpAdapter::alpns() const {
    return {std::string(kHttp3Alpn), std::string(kHttp2Alpn), std::string(kHttp11Alpn),
            std::string(kAlknetHttpAlpn)};
}

task<result<void>> HttpAdapter::handle(std::shared_ptr<Connection> connection, AuthContext auth) {
    if (auth.alpn != kHttp3Alpn) {
        return StreamHandler::handle(std::move(connection), std::move(auth));
    }
    return handle_h3(std::make_unique<StreamContext>(std::move(connection), std::move(auth)));
}

DriverOptions HttpAdapter::driver_options(const StreamContext& context) const {
    return {.limits = shared_->sites.get()->limits(),
            .auth = context.auth,
            .trace_id = context.connection->info().trace_id,
            .local = context.connection->info().local,
            .alt_svc = alt_svc(context.connection->info()),
            .answer = [this](Request& request) { return answer_by(shared_->sites.get(), request); },
            .served = [this, &context](const Served& one) { shared_->served(one, context); }};
}

task<result<void>> HttpAdapter::handle_stream(BiStream& stream, const StreamContext& context) {
    const TaskContext task = co_await current_context();
    Opening opening(task.cancel);
    if (context.auth.alpn == kAlknetHttpAlpn && !shared_->draining) {
        const Listed listed(shared_->connections, opening);
        const auto limits = shared_->sites.get()->limits().connection;
        if (const auto read = co_await opening.read(stream, limits); !read) {
            // Nobody has asked for anything yet.
            const bool over = read.error().is(errc::timeout) || shared_->draining;
            co_return over ? co_await stream.finish() : read;
        }
    }
    const bool by_preface = opening.text() == kPreface;
    if (by_preface || context.auth.alpn == kHttp2Alpn) {
        H2Connection connection(*task.loop, stream, driver_options(context));
        connection.begin_with(as_bytes(by_preface ? kPreface : ""));
        co_return co_await run(connection);
    }
    H1Connection connection(*task.loop, stream, driver_options(context));
    connection.begin_with(as_bytes(opening.text()), opening.ended());
    co_return co_await run(connection);
}

task<result<void>> HttpAdapter::handle_h3(std::unique_ptr<StreamContext> context) {
    const TaskContext task = co_await current_context();
    const Counted counted(shared_->h3_running, shared_->h3_ended);
    H3Connection connection(*task.loop, *context->connection, driver_options(*context),
                            shared_->options.h3_extension.get());
    co_return co_await run(connection);
}

template <class Driver>
task<result<void>> HttpAdapter::run(Driver& driver) {
    if (shared_->draining) {
        driver.drain();
    }
    const Listed listed(shared_->connections, driver);
    co_return co_await driver.run();
}

task<void> HttpAdapter::shutdown() {
    shared_->draining = true;
    for (Draining* const connection : shared_->connections) {
        connection->drain();  // only marks it and makes it ready
    }
    co_await StreamHandler::shutdown();
    while (shared_->h3_running > 0) {
        if (!co_await shared_->h3_ended.wait()) {
            co_return;
        }
    }
}

}  // namespace alknet::http
