#include "resolver.hpp"

#include <netdb.h>
#include <sys/socket.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/threads.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <cerrno>
#include <exception>
#include <mutex>
#include <optional>

namespace alknet::net {

namespace {

struct FreeAddresses {
    void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};

result<Addresses> ask(const std::string& host, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;  // each address once
    hints.ai_flags = flags;
    addrinfo* list = nullptr;
    const int status = getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (status != 0) {
        const std::string reason =
            status == EAI_SYSTEM ? os_error_text(errno) : std::string(gai_strerror(status));
        return fail(causes::kResolve, host + ": " + reason);
    }
    const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
    Addresses addresses;
    for (; list != nullptr && addresses.size() < Resolver::kAddressesMax; list = list->ai_next) {
        const SocketAddress address = SocketAddress::from_native(list->ai_addr);
        if (address.family() != SocketAddress::Family::none) {
            addresses.push_back(address);
        }
    }
    if (addresses.empty()) {
        return fail(causes::kResolve, host);
    }
    return addresses;
}

std::optional<SocketAddress> literal(const std::string& host, std::uint16_t port) {
    if (host.find(':') != std::string::npos) {
        // The system knows interfaces by name too: fe80::1%eth0.
        const auto addresses = ask(host, AI_NUMERICHOST);
        return addresses ? std::optional(addresses->front().with_port(port)) : std::nullopt;
    }
    const auto address = SocketAddress::parse(host + ":" + std::to_string(port));
    return address ? std::optional(*address) : std::nullopt;
}

bool may_be_name(const std::string& host) noexcept {
    return !host.empty() && host.size() <= Resolver::kHostBytesMax &&
           std::ranges::none_of(host, [](unsigned char c) {
               return c <= ' ' || c == 0x7f || c == ':' || c == '/' || c == '@';
           });
}

}  // namespace

result<Addresses> system_lookup(const std::string& host) {
    return ask(host, 0);
}

/// Between one waiter and one thread.
class Resolver::Job {
public:
    Job(Loop& loop, std::string host) : host_(std::move(host)), loop_(&loop) {}

    [[nodiscard]] const std::string& host() const noexcept { return host_; }

    /// From the thread.
    void answer(result<Addresses> answer, const std::shared_ptr<Job>& self) {
        const std::lock_guard lock(mutex_);
        answer_.emplace(std::move(answer));
        if (loop_ != nullptr) {
            loop_->post([self] { self->answered_.set(); });
        }
    }

    /// From the loop; nothing is posted to it afterwards.
    void abandon() noexcept {
        const std::lock_guard lock(mutex_);
        loop_ = nullptr;
    }
    task<result<void>> wait() { return answered_.wait(); }
    result<Addresses> take() {
        const std::lock_guard lock(mutex_);
        return std::move(*answer_);
    }

private:
    const std::string host_;
    std::mutex mutex_;
    Loop* loop_;
    std::optional<result<Addresses>> answer_;
    Event answered_;  // of the loop
};

Resolver::Resolver(Lookup lookup) : shared_(std::make_shared<Shared>()) {
    shared_->lookup = std::move(lookup);
}

void Resolver::run(const std::shared_ptr<Shared>& shared,
                   const std::shared_ptr<Job>& job) noexcept {
    result<Addresses> answer = shared->lookup(job->host());
    --shared->running;
    job->answer(std::move(answer), job);
}

task<result<Addresses>> Resolver::resolve(Loop& loop, std::string host, std::uint16_t port) {
    if (const auto address = literal(host, port)) {
        co_return Addresses{*address};
    }
    if (!may_be_name(host)) {
        co_return fail(causes::kAddressInvalid, host.substr(0, kHostBytesMax));
    }
    if (shared_->running.fetch_add(1) >= kLookupsMax) {
        --shared_->running;
        co_return fail(causes::kLimit, "too many names are being resolved");
    }
    const auto job = std::make_shared<Job>(loop, std::move(host));
    auto thread = start_thread("resolver", [shared = shared_, job] { run(shared, job); });
    if (!thread) {
        --shared_->running;
        co_return unexpected(std::move(thread).error());
    }
    thread->detach();
    struct Abandon {
        Job& job;
        ~Abandon() { job.abandon(); }
    } abandon{*job};
    ALKNET_CO_CHECK(co_await job->wait());
    ALKNET_CO_TRY(Addresses addresses, job->take());
    for (SocketAddress& address : addresses) {
        address = address.with_port(port);
    }
    co_return addresses;
}

}  // namespace alknet::net
