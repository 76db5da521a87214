// Operations of somebody else's, offered here under a prefix: what the other end says of them, and
// what becomes of it here. The other end says what they take; who may call them is said here.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/identity/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>
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

/// Of the frame of each answer that discovery takes.
inline constexpr std::size_t kDiscoveryBytesMax = 1 << 20;

struct Discovery {
    Duration timeout;
    /// Without its schemas yet; what it says no to does not count. Null: everything.
    std::function<bool(const RemoteOperation& one)> wanted{};
};

/// Asks `services/list`, and `services/schema` for each that has no `input` there already. What is
/// for discovery itself is left out. Errors: those of the calls; kProtocol for what is no answer;
/// kLimit; kTimeout for all of it.
task<result<std::vector<RemoteOperation>>> discover(CallClient& client, Discovery discovery);
/// The answer of `services/list`. Errors: those of the call.
task<result<Json>> ask_for_list(CallClient& client, Duration timeout);

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

/// What is offered may be asked for on any loop. It changes on the one where operations run.
class ImportedOperations final : public OperationSource {
public:
    /// Of all schemas together: see Schema::pattern_states.
    static constexpr std::size_t kPatternStatesMax = 256 << 10;

    explicit ImportedOperations(ImportOptions options) : options_(std::move(options)) {}

    /// Why one is not offered.
    struct Refused {
        std::string name;
        std::string why;
    };
    /// These, and no others, once it ends; of several at a time the one that began last counts. The
    /// loop does other things between one operation and the next.
    task<std::vector<Refused>> offer(std::vector<RemoteOperation> all);

    [[nodiscard]] OperationPtr find(std::string_view name) const override;
    [[nodiscard]] std::vector<OperationPtr> all() const override;

private:
    struct Offered {
        std::string definition;  // all of it, in short
        OperationPtr operation;
    };
    using Offer = std::map<std::string, Offered, std::less<>>;

    [[nodiscard]] result<Offered> define(const RemoteOperation& one, std::size_t states_max) const;

    const ImportOptions options_;
    std::uint64_t begun_ = 0;  // offers
    mutable std::mutex mutex_;
    Offer offered_;
};

}  // namespace alknet::call
