#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/composition.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/failure.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/call/typed_operation.hpp>
#include <alknet/identity/policy.hpp>
#include <array>
#include <utility>

#include "json_pointer.hpp"
#include "runs.hpp"

namespace alknet::call {

namespace {

// Whether any of the grants has the scope with a resource.
result<void> may_some(const Identity& caller, const identity::Scope& scope) {
    const auto fits = [](const std::string& granted, const std::string& wanted) {
        return granted == "*" || granted == wanted;
    };
    for (const std::string& text : caller.scopes) {
        const auto grant = identity::Scope::parse(text);
        if (grant && fits(grant->service, scope.service) && fits(grant->action, scope.action) &&
            !grant->resource.empty()) {
            return {};
        }
    }
    return fail(causes::kScopeMissing, scope.text() + ":*");
}

// Whatever the input is.
result<void> may_call(const Operation& operation, const std::optional<Identity>& caller) {
    const bool open = !operation.scope && !operation.known_only;
    if (!caller && !open) {
        return fail(causes::kAuthRequired, "/" + operation.name);
    }
    const bool renews = operation.scope && operation.scope->text() == kRenewScope;
    if (caller && caller->renewal_only && !renews) {
        return fail(causes::kForbidden, "your term has ended; see: alknet renew --help");
    }
    if (!operation.scope) {
        return {};
    }
    return operation.resource_at.empty() ? identity::require(*caller, *operation.scope)
                                         : may_some(*caller, *operation.scope);
}

// With this one. Whoever this is asked about may_call.
result<void> may_use(const Operation& operation, const std::optional<Identity>& caller,
                     const Json& input) {
    if (operation.resource_at.empty()) {
        return {};
    }
    const Json* found = at_pointer(input, operation.resource_at);
    if (found == nullptr || found->as_string() == nullptr) {
        return fail(causes::kUsage, operation.resource_at + ": must be a text");
    }
    const auto wanted =
        identity::Scope::parse_exact(operation.scope->text() + ":" + *found->as_string());
    if (!wanted) {
        return fail(causes::kUsage, operation.resource_at + ": is no resource of a scope");
    }
    return identity::require(*caller, *wanted);
}

struct OperationSummary {
    std::string name;
    std::string kind;
    std::optional<std::string> scope{};
    std::optional<std::string> resource_at{};
    std::string about;
    std::optional<std::uint64_t> hops{};
};
struct OperationList {
    std::vector<OperationSummary> operations;
};
struct SchemaInput {
    Text<kOperationBytesMax + 1> name;
    static constexpr std::array<std::string_view, 1> kAbout = {"of the operation: /SERVICE/NAME"};
};
struct DeclaredError {
    std::string code;
    std::string cause;
    std::string about;
    bool retryable = false;
    Json details;
    static constexpr std::array<std::string_view, 5> kAbout = {
        "of the call.error", "in its details; alknet explain knows it", "what has happened",
        "it may go well another time", "JSON Schema of its details"};
};
struct OperationSchema {
    std::string name;
    std::string kind;
    std::optional<std::string> scope{};
    std::optional<std::string> resource_at{};
    std::string about;
    Json input;
    Json output;
    std::vector<DeclaredError> errors;
};
struct Nothing {};

std::optional<std::string> resource_text(const Operation& operation) {
    return operation.resource_at.empty() ? std::nullopt : std::optional(operation.resource_at);
}

// Of every error whose cause this is.
Json details_of(const Cause& cause) {
    const Json one = Json::object({{"const", cause.id}});
    const Json text = Json::object({{"type", "string"}});
    return Json::object({{"type", "object"},
                         {"properties", Json::object({{"cause", one}, {"detail", text}})},
                         {"required", Json::Array{"cause", "detail"}}});
}

std::optional<std::string> scope_text(const Operation& operation) {
    return operation.scope ? std::optional(operation.scope->text()) : std::nullopt;
}

// What runs here says nothing of it.
std::optional<std::uint64_t> hops_of(const Operation& operation) {
    return operation.hops == 0 ? std::nullopt : std::optional<std::uint64_t>(operation.hops);
}

task<result<OperationList>> list_services(const OperationRegistry& registry, CallContext context) {
    OperationList list;
    for (const OperationPtr& one : registry.visible_to(context.identity)) {
        list.operations.push_back({.name = "/" + one->name,
                                   .kind = std::string(to_string(one->kind)),
                                   .scope = scope_text(*one),
                                   .resource_at = resource_text(*one),
                                   .about = one->about,
                                   .hops = hops_of(*one)});
    }
    co_return list;
}

task<result<OperationSchema>> show_schema(const OperationRegistry& registry, CallContext context,
                                          SchemaInput input) {
    std::string_view name = input.name.value;
    if (name.starts_with('/')) {
        name.remove_prefix(1);
    }
    ALKNET_CO_TRY(const OperationPtr operation, registry.find(name, context.identity));
    OperationSchema shown{.name = "/" + operation->name,
                          .kind = std::string(to_string(operation->kind)),
                          .scope = scope_text(*operation),
                          .resource_at = resource_text(*operation),
                          .about = operation->about,
                          .input = operation->input.document(),
                          .output = operation->output.document(),
                          .errors = {}};
    for (const Cause* cause : operation->errors) {
        const Failed failed = to_failed(error(*cause));
        shown.errors.push_back({.code = failed.code,
                                .cause = std::string(cause->id),
                                .about = std::string(cause->what),
                                .retryable = failed.retryable,
                                .details = details_of(*cause)});
    }
    co_return shown;
}

task<result<Json>> recheck_runs(std::shared_ptr<RunTable> runs) {
    co_await runs->recheck_identities();
    co_return Json();
}

}  // namespace

bool has_ended(const Identity& before, const result<std::optional<Identity>>& now) {
    return now ? is_narrowed(before, *now) : now.error().is(errc::forbidden);
}

result<Json> checked_input(const Schema& schema, Json input) {
    if (input.is_null()) {
        input = Json::Object();
    }
    if (const auto violation = schema.check(input)) {
        return fail(causes::kUsage, violation->pointer.empty()
                                        ? "the input " + violation->reason
                                        : violation->pointer + ": " + violation->reason);
    }
    return input;
}

std::string_view to_string(Operation::Kind kind) noexcept {
    switch (kind) {
        case Operation::Kind::query:
            return "query";
        case Operation::Kind::mutation:
            return "mutation";
        case Operation::Kind::subscription:
            break;
    }
    return "subscription";
}

OperationRegistry::OperationRegistry(std::shared_ptr<OperationHome> home) : home_(std::move(home)) {
    if (home_ != nullptr) {
        runs_ = std::make_shared<RunTable>();
        add_run_operations(*this, runs_);
    }
    const auto add = [&](std::string_view name, std::string_view about, const auto& set) {
        Operation operation;
        operation.name = std::string(name);
        operation.about = std::string(about);
        set(operation);
        operations_.emplace(operation.name, operation);
    };
    add("services/list", "the operations that the caller may call", [this](Operation& operation) {
        set_function<Nothing, OperationList>(operation, [this](CallContext context, Nothing) {
            return list_services(*this, std::move(context));
        });
    });
    add("services/schema", "what one of them takes and gives", [this](Operation& operation) {
        set_function<SchemaInput, OperationSchema>(
            operation, [this](CallContext context, SchemaInput input) {
                return show_schema(*this, std::move(context), std::move(input));
            });
    });
}

result<void> OperationRegistry::add(Operation operation) {
    if (!is_operation_name(operation.name)) {
        return fail(causes::kConfigInvalid, "'" + operation.name + "' is no name of an operation");
    }
    if (operation.authority &&
        !std::ranges::all_of(operation.authority->reach, is_operation_name)) {
        return fail(causes::kConfigInvalid, "operation " + operation.name + " reaches no name");
    }
    if (!operation.resource_at.empty() &&
        (!operation.scope || !operation.scope->resource.empty())) {
        return fail(causes::kConfigInvalid,
                    "operation " + operation.name + " has no scope that takes a resource");
    }
    if (operations_.size() >= kOperationsMax) {
        return fail(causes::kLimit, "there are 4096 operations");
    }
    std::string name = operation.name;
    if (!operations_.emplace(std::move(name), operation).second) {
        return fail(causes::kConfigInvalid, "operation " + operation.name + " is there already");
    }
    return {};
}

result<OperationPtr> OperationRegistry::find(std::string_view name,
                                             const std::optional<Identity>& caller) const {
    OperationPtr found = lookup(name);
    if (found == nullptr || found->visibility == Operation::Visibility::internal) {
        const Cause& cause = caller ? causes::kNoOperation : causes::kAuthRequired;
        return fail(cause, "/" + std::string(name));
    }
    ALKNET_CHECK(may_call(*found, caller));
    return found;
}

OperationPtr OperationRegistry::lookup(std::string_view name) const {
    if (const auto found = operations_.find(name); found != operations_.end()) {
        return {OperationPtr(), &found->second};  // for as long as this registry
    }
    for (const auto& source : sources_) {
        if (OperationPtr found = source->find(name); found != nullptr) {
            return found;
        }
    }
    return nullptr;
}

task<result<Json>> OperationRegistry::call(std::string name, CallContext context,
                                           Json input) const {
    ALKNET_CO_TRY(const OperationPtr operation, find(name, context.identity));
    ALKNET_CO_CHECK(may_use(*operation, context.identity, input));
    co_return co_await run(operation, std::move(context), std::move(input));
}

task<result<Json>> OperationRegistry::call_internal(std::string name, CallContext context,
                                                    Json input) const {
    const OperationPtr found = lookup(name);
    if (found == nullptr) {
        co_return fail(causes::kNoOperation, "/" + name);
    }
    co_return co_await run(found, std::move(context), std::move(input));
}

task<result<Json>> OperationRegistry::call_composed(std::string name, CallContext context,
                                                    Json input) const {
    const OperationPtr found = lookup(name);
    if (found == nullptr) {
        co_return fail(causes::kInternal, "there is no /" + name);
    }
    auto may = may_call(*found, context.identity);
    if (may) {
        may = may_use(*found, context.identity, input);
    }
    if (!may) {
        co_return fail(causes::kInternal, context.identity->id + " may not call /" + name);
    }
    co_return co_await run(found, std::move(context), std::move(input));
}

Duration time_left(TimePoint deadline, TimePoint now) noexcept {
    return deadline == TimePoint::max() ? Duration::max() : std::max(deadline - now, Duration());
}

task<result<Json>> OperationRegistry::run(OperationPtr operation, CallContext context,
                                          Json input) const {
    if (operation->kind == Operation::Kind::subscription) {
        co_return fail(causes::kOperationType, "/" + operation->name + " is a subscription");
    }
    ALKNET_CO_TRY(input, checked_input(operation->input, std::move(input)));
    if (operation->authority) {
        context.composition = std::make_shared<Composition>(*this, *operation, context);
    }
    if (home_ == nullptr) {
        co_return co_await operation->run(std::move(context), std::move(input));
    }
    co_return co_await home_->run(operation->run, std::move(context), std::move(input));
}

task<result<void>> OperationRegistry::subscribe(std::string name, CallContext context, Json input,
                                                ItemSink& items) const {
    ALKNET_CO_TRY(const OperationPtr operation, find(name, context.identity));
    if (operation->kind != Operation::Kind::subscription) {
        co_return fail(causes::kOperationType, "/" + name + " is no subscription");
    }
    ALKNET_CO_CHECK(may_use(*operation, context.identity, input));
    ALKNET_CO_TRY(input, checked_input(operation->input, std::move(input)));
    if (operation->authority) {
        context.composition = std::make_shared<Composition>(*this, *operation, context);
    }
    if (home_ == nullptr) {
        co_return co_await operation->subscribe(std::move(context), std::move(input), items);
    }
    co_return co_await home_->subscribe(operation->subscribe, std::move(context), std::move(input),
                                        items);
}

task<result<std::string>> OperationRegistry::detach(std::string name, CallContext context,
                                                    Json input, StillKnown still) const {
    ALKNET_CO_TRY(const OperationPtr operation, find(name, context.identity));
    if (!context.identity) {
        co_return fail(causes::kAuthRequired, "/" + name);
    }
    if (operation->kind == Operation::Kind::subscription || runs_ == nullptr) {
        co_return fail(causes::kOperationType, "/" + name + " cannot be detached");
    }
    ALKNET_CO_CHECK(may_use(*operation, context.identity, input));
    ALKNET_CO_TRY(input, checked_input(operation->input, std::move(input)));
    const CallFunction begin = [this, operation, still = std::move(still)](CallContext whose,
                                                                           Json with) {
        return begin_run(operation, std::move(whose), std::move(with), still);
    };
    ALKNET_CO_TRY(const Json id, co_await home_->run(begin, std::move(context), std::move(input)));
    co_return *id.as_string();
}

// At home.
task<result<Json>> OperationRegistry::begin_run(OperationPtr operation, CallContext context,
                                                Json input, StillKnown still) const {
    RunTable::Start start{.owner = *context.identity,
                          .still = std::move(still),
                          .operation = operation->name,
                          .limit = time_left(context.deadline, home_->loop().now()),
                          .work = run(operation, std::move(context), std::move(input))};
    ALKNET_CO_TRY(const auto begun, runs_->start(home_, std::move(start)));
    co_return begun->id;
}

task<void> OperationRegistry::recheck_identities() const {
    if (runs_ != nullptr) {
        const CallFunction recheck = [this](CallContext, Json) { return recheck_runs(runs_); };
        (void)co_await home_->run(recheck, {}, {});
    }
}

std::vector<OperationPtr> OperationRegistry::visible_to(
    const std::optional<Identity>& caller) const {
    std::vector<OperationPtr> all;
    for (const auto& [name, operation] : operations_) {
        if (operation.visibility == Operation::Visibility::external &&
            may_call(operation, caller)) {
            all.emplace_back(OperationPtr(), &operation);
        }
    }
    for (const auto& source : sources_) {
        for (OperationPtr& one : source->all()) {
            if (lookup(one->name) == one && may_call(*one, caller)) {
                all.push_back(std::move(one));
            }
        }
    }
    std::ranges::sort(all, {},
                      [](const OperationPtr& one) -> const std::string& { return one->name; });
    return all;
}

}  // namespace alknet::call
