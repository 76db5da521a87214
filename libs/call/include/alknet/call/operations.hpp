// Operations: what can be called, by whom, and what runs then.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/call/json.hpp>
#include <alknet/call/schema.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/identity/scope.hpp>
#include <alknet/rt/task.hpp>
#include <alknet/rt/time.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::call {

class Composition;
class OperationHome;
class RunTable;

/// Who calls and until when. A value: it outlives the connection.
struct CallContext {
    std::optional<Identity> identity{};  // nullopt: a stranger
    Transport transport = Transport::memory;
    TimePoint connected{};  // when the connection began
    TimePoint deadline = TimePoint::max();
    std::string traceparent{};
    std::optional<std::uint64_t> resume_after{};  // of a subscription: what the caller had last
    std::size_t depth = 0;                        // how many calls it is inside of
    /// What the operation may call in turn, while it runs; null without an authority.
    std::shared_ptr<Composition> composition{};
};

/// Duration::max() where there is no deadline.
[[nodiscard]] Duration time_left(TimePoint deadline, TimePoint now) noexcept;

/// Runs below a Cancel that is requested when the caller aborts, goes away, or its time is up; it
/// then returns soon. Its errors are told to the caller with their detail. It may throw for bugs
/// alone, which end the connection.
using CallFunction = std::function<task<result<Json>>(CallContext context, Json input)>;

/// One of what a subscription gives.
struct Item {
    Json output;
    std::optional<std::uint64_t> seq{};     // nullopt: the next number, from 1
    std::optional<std::uint64_t> missed{};  // how many before it are lost
};

class ItemSink {
public:
    virtual ~ItemSink() = default;
    /// Ends when the next one may be given: as fast as the other end takes them. Errors:
    /// kCancelled; kLimit for one that is too large; what ended the stream.
    virtual task<result<void>> give(Item item) = 0;
};

/// Likewise, and its end is that of the subscription. `items` is there until then.
using SubscribeFunction =
    std::function<task<result<void>>(CallContext context, Json input, ItemSink& items)>;

/// Asks who somebody is now whose session lasts, by what was shown for it. Errors as those of
/// IdentityProvider.
using StillKnown = std::function<task<result<std::optional<Identity>>>()>;
/// Whether that ends what somebody who was `before` has running: gone, or less than before. A
/// directory that does not answer takes nobody's access away.
[[nodiscard]] bool has_ended(const Identity& before, const result<std::optional<Identity>>& now);

/// What an operation may call in turn (composition.hpp), whoever called it.
struct Authority {
    std::string label;                  // who the operations that it calls see
    std::vector<std::string> scopes{};  // what it may do there
    std::vector<std::string> reach{};   // the operations, also internal ones, and no others
};

struct Operation {
    enum class Kind : std::uint8_t { query, mutation, subscription };
    enum class Visibility : std::uint8_t {
        external,
        internal,  // for the node itself: whoever calls from outside is told that there is none
    };
    std::string name;  // "service/name"
    Kind kind = Kind::query;
    Visibility visibility = Visibility::external;
    /// What the caller needs, exact; nullopt: nothing, and without `known_only` not even to be
    /// known.
    std::optional<identity::Scope> scope;
    /// Where in the input the resource of that scope stands, which has none itself: a JSON pointer
    /// to a text, without which there is no call. Empty: the scope is all that is asked for.
    std::string resource_at{};
    bool known_only = false;
    std::optional<Authority> authority{};
    std::string about;  // one line, for lists
    /// Over how many nodes a call goes from here; 0: it runs here.
    std::size_t hops = 0;
    /// What it takes, which is checked before `run`, and what it gives, which is not: see
    /// typed_operation.hpp.
    Schema input{};
    Schema output{};
    /// What may go wrong, besides what may with every operation.
    std::vector<const Cause*> errors{};
    CallFunction run;
    SubscribeFunction subscribe{};  // of a subscription, in place of `run`
};
[[nodiscard]] std::string_view to_string(Operation::Kind kind) noexcept;

/// The input as the operation gets it: null is no members. Errors: kUsage with the JSON pointer of
/// the place that does not fit.
[[nodiscard]] result<Json> checked_input(const Schema& schema, Json input);

/// Whoever runs it keeps it until then: it may be offered no more meanwhile.
using OperationPtr = std::shared_ptr<const Operation>;

/// Operations that come and go while a registry is used. On any loop.
class OperationSource {
public:
    virtual ~OperationSource() = default;
    /// Null: there is none.
    [[nodiscard]] virtual OperationPtr find(std::string_view name) const = 0;
    [[nodiscard]] virtual std::vector<OperationPtr> all() const = 0;
};

/// Operations are added before it is used, and then any loop may call. `services/list` and
/// `services/schema` are there from the beginning, and show what the caller may call.
class OperationRegistry {
public:
    static constexpr std::size_t kOperationsMax = 4096;

    /// Operations run on the loop of `home`; null: on that of whoever calls.
    explicit OperationRegistry(std::shared_ptr<OperationHome> home = nullptr);
    OperationRegistry(const OperationRegistry&) = delete;
    OperationRegistry& operator=(const OperationRegistry&) = delete;
    ~OperationRegistry() = default;

    /// Errors: kConfigInvalid for a name that is taken, or none, also in its reach, and for a place
    /// of a resource where there is no scope for it; kLimit.
    result<void> add(Operation operation);
    /// Before it is used. Of two of one name, the one that was added counts, or the first source's.
    void add(std::shared_ptr<const OperationSource> source) {
        sources_.push_back(std::move(source));
    }

    /// Whether the caller could call it: there is one, it is external, and the scope allows it,
    /// where the input has the resource, for some input.
    /// Errors: for somebody known kNoOperation and kScopeMissing. For a stranger kAuthRequired,
    /// whether there is one or not.
    [[nodiscard]] result<OperationPtr> find(std::string_view name,
                                            const std::optional<Identity>& caller) const;
    /// From outside: the same, and then what the operation gives. Errors: kOperationType for a
    /// subscription.
    [[nodiscard]] task<result<Json>> call(std::string name, CallContext context, Json input) const;
    /// Likewise for a subscription. `items` is of the caller's loop.
    [[nodiscard]] task<result<void>> subscribe(std::string name, CallContext context, Json input,
                                               ItemSink& items) const;
    /// Likewise for a call that goes on when the caller leaves, until the context's deadline: gives
    /// the id that `runs/get`, `runs/wait` and `runs/cancel` take. Only with a home. `still` may be
    /// null. Errors: kAuthRequired for a stranger; kLimit.
    [[nodiscard]] task<result<std::string>> detach(std::string name, CallContext context,
                                                   Json input, StillKnown still) const;
    /// Ends detached runs of those who have gone or may do less than before.
    [[nodiscard]] task<void> recheck_identities() const;
    /// From the node itself, which may call everything. Errors: kNoOperation; the operation's.
    [[nodiscard]] task<result<Json>> call_internal(std::string name, CallContext context,
                                                   Json input) const;

    /// From an operation with an authority (composition.hpp). Errors: kInternal for what it may
    /// not; the operation's.
    [[nodiscard]] task<result<Json>> call_composed(std::string name, CallContext context,
                                                   Json input) const;

    /// What the caller may call, by name.
    [[nodiscard]] std::vector<OperationPtr> visible_to(const std::optional<Identity>& caller) const;

private:
    [[nodiscard]] task<result<Json>> begin_run(OperationPtr operation, CallContext context,
                                               Json input, StillKnown still) const;
    [[nodiscard]] OperationPtr lookup(std::string_view name) const;
    [[nodiscard]] task<result<Json>> run(OperationPtr operation, CallContext context,
                                         Json input) const;

    std::shared_ptr<OperationHome> home_;
    std::shared_ptr<RunTable> runs_;  // of the home
    std::map<std::string, Operation, std::less<>> operations_;
    std::vector<std::shared_ptr<const OperationSource>> sources_;
};

}  // namespace alknet::call
