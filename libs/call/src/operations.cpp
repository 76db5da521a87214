#include <alknet/base/causes.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/members.hpp>
#include <alknet/call/operations.hpp>
#include <alknet/identity/policy.hpp>
#include <utility>

namespace alknet::call {

namespace {

result<void> may_call(const Operation& operation, const std::optional<Identity>& caller) {
    if (!operation.scope) {
        return {};
    }
    if (!caller) {
        return fail(causes::kAuthRequired, operation.name);
    }
    return identity::require(*caller, *operation.scope);
}

Json described(const Operation& operation) {
    return Json::object({{"name", "/" + operation.name},
                         {"kind", to_string(operation.kind)},
                         {"scope", operation.scope ? Json(operation.scope->text()) : Json()},
                         {"about", operation.about}});
}

task<result<Json>> list_services(const OperationRegistry& registry, CallContext context,
                                 Json input) {
    ALKNET_CO_CHECK(Members(std::move(input)).done());
    Json::Array all;
    for (const Operation* one : registry.visible_to(context.identity)) {
        all.push_back(described(*one));
    }
    co_return Json::object({{"operations", std::move(all)}});
}

}  // namespace

std::string_view to_string(Operation::Kind kind) noexcept {
    return kind == Operation::Kind::query ? "query" : "mutation";
}

OperationRegistry::OperationRegistry() {
    Operation list{.name = "services/list",
                   .scope = std::nullopt,
                   .about = "the operations that the caller may call",
                   .run = [this](CallContext context, Json input) {
                       return list_services(*this, std::move(context), std::move(input));
                   }};
    operations_.emplace(list.name, std::move(list));
}

result<void> OperationRegistry::add(Operation operation) {
    if (!is_operation_name(operation.name)) {
        return fail(causes::kConfigInvalid, "'" + operation.name + "' is no name of an operation");
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

result<const Operation*> OperationRegistry::find(std::string_view name,
                                                 const std::optional<Identity>& caller) const {
    const auto found = operations_.find(name);
    if (found == operations_.end() || found->second.visibility == Operation::Visibility::internal) {
        return fail(causes::kNoHandler, "there is no operation /" + std::string(name));
    }
    ALKNET_CHECK(may_call(found->second, caller));
    return &found->second;
}

task<result<Json>> OperationRegistry::call(std::string name, CallContext context,
                                           Json input) const {
    ALKNET_CO_TRY(const Operation* operation, find(name, context.identity));
    co_return co_await operation->run(std::move(context), std::move(input));
}

task<result<Json>> OperationRegistry::call_internal(std::string name, CallContext context,
                                                    Json input) const {
    const auto found = operations_.find(name);
    if (found == operations_.end()) {
        co_return fail(causes::kNoHandler, "there is no operation /" + name);
    }
    co_return co_await found->second.run(std::move(context), std::move(input));
}

std::vector<const Operation*> OperationRegistry::visible_to(
    const std::optional<Identity>& caller) const {
    std::vector<const Operation*> all;
    for (const auto& [name, operation] : operations_) {
        if (operation.visibility == Operation::Visibility::external &&
            may_call(operation, caller)) {
            all.push_back(&operation);
        }
    }
    return all;
}

}  // namespace alknet::call
