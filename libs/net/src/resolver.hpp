// Names to addresses, through a function that blocks and cannot be stopped: getaddrinfo can take
// half a minute. Each lookup runs in a thread of its own that nobody waits for, so that cancelling
// a dial, or ending the program, takes no time at all; its answer is then dropped.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <alknet/rt/task.hpp>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace alknet {
class Loop;
}

namespace alknet::net {

using Addresses = std::vector<SocketAddress>;

/// Asks the system. Errors: kResolve.
result<Addresses> system_lookup(const std::string& host);

class Resolver {
public:
    /// Lookups under way, abandoned ones too.
    static constexpr std::size_t kLookupsMax = 16;
    static constexpr std::size_t kAddressesMax = 32;
    static constexpr std::size_t kHostBytesMax = 253;

    using Lookup = std::function<result<Addresses>(const std::string& host)>;
    explicit Resolver(Lookup lookup);

    /// Literals are answered at once. Errors: kAddressInvalid for what cannot be a name, kResolve,
    /// kLimit, kCancelled, kIo.
    task<result<Addresses>> resolve(Loop& loop, std::string host, std::uint16_t port);

    /// Thread-safe.
    [[nodiscard]] std::size_t lookups() const noexcept { return shared_->running; }

private:
    class Job;
    struct Shared {
        Lookup lookup;
        std::atomic<std::size_t> running = 0;
    };
    static void run(const std::shared_ptr<Shared>& shared,
                    const std::shared_ptr<Job>& job) noexcept;

    std::shared_ptr<Shared> shared_;  // outlives this in the threads
};

}  // namespace alknet::net
