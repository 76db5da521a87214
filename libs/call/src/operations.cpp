#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/operation_home.hpp>
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
        return fail(causes::kAuthRequired, "/" + operation.name);
    }
    return identity::require(*caller, *operation.scope);
}

Json described(const Operation& operation) {
    return Json::object({{"name", "/" + operation.name},
                         {"kind", to_string(operation.kind)},
                         {"scope", operation.scope ? Json(operation.scope->text()) : Json()},
                         {"about", operation.about}});
}

task<result<Json>> list_services(const OperationRegistry& registry, CallContext context) {
    Json::Array all;
    for (const Operation* one : registry.visible_to(context.identity)) {
        all.push_back(described(*one));
    }
    co_return Json::object({{"operations", std::move(all)}});
}

task<result<Json>> show_schema(const OperationRegistry& registry, CallContext context, Json input) {
    std::string_view name = input.text_of("name");
    if (name.starts_with('/')) {
        name.remove_prefix(1);
    }
    ALKNET_CO_TRY(const Operation* operation, registry.find(name, context.identity));
    Json::Object shown = *described(*operation).as_object();
    shown.emplace_back("input", schema_of(*operation));
    co_return shown;
}

std::string_view type_name(Field::Type type) noexcept {
    switch (type) {
        case Field::Type::text:
            return "string";
        case Field::Type::texts:
            return "array";
        case Field::Type::number:
            return "integer";
        case Field::Type::flag:
            break;
    }
    return "boolean";
}

bool fits(Field::Type type, const Json& value) noexcept {
    const auto is_text = [](const Json& one) { return one.as_string() != nullptr; };
    switch (type) {
        case Field::Type::text:
            return is_text(value);
        case Field::Type::texts:
            return value.as_array() != nullptr && std::ranges::all_of(*value.as_array(), is_text);
        case Field::Type::number:
            return value.as_unsigned().has_value();
        case Field::Type::flag:
            break;
    }
    return value.as_bool() != nullptr;
}

std::string_view what_fits(Field::Type type) noexcept {
    switch (type) {
        case Field::Type::text:
            return "a text";
        case Field::Type::texts:
            return "an array of texts";
        case Field::Type::number:
            return "a whole number, 0 or more";
        case Field::Type::flag:
            break;
    }
    return "true or false";
}

}  // namespace

Json schema_of(const Operation& operation) {
    Json::Object schema{{"type", "object"}};
    if (!operation.fields) {
        return schema;
    }
    Json::Object properties;
    Json::Array required;
    for (const Field& field : *operation.fields) {
        Json::Object property{{"type", type_name(field.type)}};
        if (field.type == Field::Type::texts) {
            property.emplace_back("items", Json::object({{"type", "string"}}));
        }
        if (field.type == Field::Type::number) {
            property.emplace_back("minimum", 0);
        }
        if (!field.about.empty()) {
            property.emplace_back("description", field.about);
        }
        if (field.required) {
            required.emplace_back(field.name);
        }
        properties.emplace_back(field.name, std::move(property));
    }
    schema.emplace_back("properties", std::move(properties));
    if (!required.empty()) {
        schema.emplace_back("required", std::move(required));
    }
    schema.emplace_back("additionalProperties", false);
    return schema;
}

result<void> check_input(const std::vector<Field>& fields, const Json& input) {
    const Json::Object none;
    const Json::Object* members = input.is_null() ? &none : input.as_object();
    if (members == nullptr) {
        return fail(causes::kUsage, "the input must be an object");
    }
    for (const auto& [name, value] : *members) {
        const auto field = std::ranges::find(fields, name, &Field::name);
        if (field == fields.end()) {
            return fail(causes::kUsage, "/" + name + ": there is no such member");
        }
        if (!value.is_null() && !fits(field->type, value)) {
            return fail(causes::kUsage,
                        "/" + name + ": must be " + std::string(what_fits(field->type)));
        }
    }
    for (const Field& field : fields) {
        const Json* value = input.find(field.name);
        if (field.required && (value == nullptr || value->is_null())) {
            return fail(causes::kUsage, "/" + std::string(field.name) + ": is missing");
        }
    }
    return {};
}

std::string_view to_string(Operation::Kind kind) noexcept {
    return kind == Operation::Kind::query ? "query" : "mutation";
}

OperationRegistry::OperationRegistry(std::shared_ptr<OperationHome> home) : home_(std::move(home)) {
    Operation list{.name = "services/list",
                   .scope = std::nullopt,
                   .about = "the operations that the caller may call",
                   .fields = std::vector<Field>(),
                   .run = [this](CallContext context, Json /*input*/) {
                       return list_services(*this, std::move(context));
                   }};
    operations_.emplace(list.name, std::move(list));
    Operation schema{.name = "services/schema",
                     .scope = std::nullopt,
                     .about = "what one of them takes: name",
                     .fields = std::vector<Field>{{.name = "name",
                                                   .required = true,
                                                   .about = "of the operation: /SERVICE/NAME"}},
                     .run = [this](CallContext context, Json input) {
                         return show_schema(*this, std::move(context), std::move(input));
                     }};
    operations_.emplace(schema.name, std::move(schema));
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
        const Cause& cause = caller ? causes::kNoOperation : causes::kAuthRequired;
        return fail(cause, "/" + std::string(name));
    }
    ALKNET_CHECK(may_call(found->second, caller));
    return &found->second;
}

task<result<Json>> OperationRegistry::call(std::string name, CallContext context,
                                           Json input) const {
    ALKNET_CO_TRY(const Operation* operation, find(name, context.identity));
    co_return co_await run(*operation, std::move(context), std::move(input));
}

task<result<Json>> OperationRegistry::call_internal(std::string name, CallContext context,
                                                    Json input) const {
    const auto found = operations_.find(name);
    if (found == operations_.end()) {
        co_return fail(causes::kNoOperation, "/" + name);
    }
    co_return co_await run(found->second, std::move(context), std::move(input));
}

task<result<Json>> OperationRegistry::run(const Operation& operation, CallContext context,
                                          Json input) const {
    if (operation.fields) {
        ALKNET_CO_CHECK(check_input(*operation.fields, input));
    }
    if (home_ == nullptr) {
        co_return co_await operation.run(std::move(context), std::move(input));
    }
    co_return co_await home_->run(operation.run, std::move(context), std::move(input));
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
