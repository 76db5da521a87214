// Operations of somebody else's, offered here under a prefix: what the other end says of them, and
// what becomes of it here. The other end says what they take; who may call them is said here.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/identity/scope.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::call {

/// One as the other end describes it.
struct RemoteOperation {
    std::string name;  // "service/name", there
    Operation::Kind kind = Operation::Kind::query;
    std::string about;
    Json input = true;  // JSON Schema
    Json output = true;
    std::size_t hops = 0;  // over how many nodes a call goes from there

    /// Of what it does, 64 hex digits: two that have the same differ in `hops` alone.
    [[nodiscard]] std::string digest() const;
    bool operator==(const RemoteOperation&) const = default;
};

/// Most that one end can offer here.
inline constexpr std::size_t kRemoteOperationsMax = 256;
inline constexpr std::size_t kAboutBytesMax = 512;  // longer ones are cut
/// Nodes between a caller and an operation. Two nodes that import from each other would offer ever
/// longer names otherwise.
inline constexpr std::size_t kHopsMax = 16;

/// Asks `services/list`, and `services/schema` for each that has no `input` there already. What is
/// for discovery itself is left out. Errors: those of the calls; kProtocol for what is no answer;
/// kLimit; kTimeout for all of it.
task<result<std::vector<RemoteOperation>>> discover(CallClient& client, Duration timeout);

/// "prefix/name" where the service there is called like the prefix, else "prefix-service/name".
[[nodiscard]] std::string imported_name(std::string_view prefix, std::string_view remote);

/// Where calls go. Used on the loop on which operations run.
class RemoteCalls {
public:
    virtual ~RemoteCalls() = default;
    virtual task<result<Json>> call(std::string operation, CallContext context, Json input) = 0;
    virtual task<result<void>> subscribe(std::string operation, CallContext context, Json input,
                                         ItemSink& items) = 0;
};

struct ImportOptions {
    std::string prefix;
    /// What a caller needs for an operation of this name there.
    std::function<result<identity::Scope>(std::string_view remote)> scope;
    std::shared_ptr<RemoteCalls> calls;
    std::size_t hops = 0;  // on the way there
};

/// Thread-safe.
class ImportedOperations final : public OperationSource {
public:
    /// Definitions of all times are kept, since calls may refer to them: with more changes than
    /// these no new ones are taken.
    static constexpr std::size_t kDefinitionsMax = 4096;

    explicit ImportedOperations(ImportOptions options) : options_(std::move(options)) {}

    /// Why one is not offered.
    struct Refused {
        std::string name;
        std::string why;
    };
    /// These, and no others, from now on.
    std::vector<Refused> offer(const std::vector<RemoteOperation>& all);

    [[nodiscard]] const Operation* find(std::string_view name) const override;
    [[nodiscard]] std::vector<const Operation*> all() const override;

private:
    result<const Operation*> define(const RemoteOperation& one);

    const ImportOptions options_;
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<const Operation>> definitions_;  // by all of it
    std::map<std::string, const Operation*, std::less<>> offered_;
};

}  // namespace alknet::call
