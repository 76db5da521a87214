#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/rt/loop.hpp>
#include <utility>

namespace alknet::call {

std::string RemoteOperation::digest() const {
    const std::string text = Json::object({{"name", name},
                                           {"kind", to_string(kind)},
                                           {"about", about},
                                           {"input", input},
                                           {"output", output}})
                                 .text();
    return hex_encode(crypto::sha256(as_bytes(text)));
}

std::string imported_name(std::string_view prefix, std::string_view remote) {
    const std::size_t slash = remote.find('/');
    std::string name(prefix);
    if (remote.substr(0, slash) != prefix) {
        name.append("-").append(remote.substr(0, slash));
    }
    return name.append(remote.substr(std::min(slash, remote.size())));
}

namespace {

std::string definition_of(const RemoteOperation& one) {
    return one.name + " " + std::to_string(one.hops) + " " + one.digest();
}

std::size_t states_of(const Operation& operation) {
    return operation.input.pattern_states() + operation.output.pattern_states();
}

}  // namespace

result<ImportedOperations::Offered> ImportedOperations::define(const RemoteOperation& one,
                                                               std::size_t states_max) const {
    auto made = std::make_shared<Operation>();
    made->name = imported_name(options_.prefix, one.name);
    if (!is_operation_name(made->name)) {
        return fail(causes::kUsage, "'" + made->name + "' is no name of an operation");
    }
    made->kind = one.kind;
    ALKNET_TRY(made->scope, options_.scope(one.name));
    made->about = one.about;
    made->hops = one.hops + options_.hops;
    SchemaLimits limits;
    limits.pattern_states_max = std::min(limits.pattern_states_max, states_max);
    ALKNET_TRY(made->input, Schema::compile(one.input, limits, UnknownKeywords::noted));
    limits.pattern_states_max =
        std::min(limits.pattern_states_max, states_max - made->input.pattern_states());
    ALKNET_TRY(made->output, Schema::compile(one.output, limits, UnknownKeywords::noted));
    const auto calls = options_.calls;
    if (one.kind == Operation::Kind::subscription) {
        made->subscribe = [calls, name = one.name](CallContext context, Json input,
                                                   ItemSink& items) {
            return calls->subscribe(name, std::move(context), std::move(input), items);
        };
    } else {
        made->run = [calls, name = one.name](CallContext context, Json input) {
            return calls->call(name, std::move(context), std::move(input));
        };
    }
    return Offered{.definition = definition_of(one), .operation = std::move(made)};
}

// Nobody waits for the lock while something is compiled.
task<std::vector<ImportedOperations::Refused>> ImportedOperations::offer(
    std::vector<RemoteOperation> all) {
    const TaskContext here = co_await current_context();
    const std::uint64_t mine = ++begun_;
    std::vector<Refused> refused;
    Offer offer;
    std::size_t states_left = kPatternStatesMax;
    for (const RemoteOperation& one : all) {
        result<Offered> defined;
        const auto before = offered_.find(imported_name(options_.prefix, one.name));
        if (before != offered_.end() && before->second.definition == definition_of(one) &&
            states_of(*before->second.operation) <= states_left) {
            defined = before->second;
        } else {
            defined = define(one, states_left);
            co_await here.loop->yield();
        }
        if (!defined) {
            refused.push_back({.name = one.name, .why = defined.error().message()});
            continue;
        }
        const Operation& operation = *defined->operation;
        states_left -= states_of(operation);
        if (!offer.emplace(operation.name, *std::move(defined)).second) {
            refused.push_back({.name = one.name, .why = "another one has this name here"});
        }
    }
    if (mine == begun_) {
        const std::lock_guard lock(mutex_);
        offered_.swap(offer);
    }
    co_return refused;
}

OperationPtr ImportedOperations::find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = offered_.find(name);
    return found == offered_.end() ? nullptr : found->second.operation;
}

std::vector<OperationPtr> ImportedOperations::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<OperationPtr> list;
    for (const auto& [name, offered] : offered_) {
        list.push_back(offered.operation);
    }
    return list;
}

}  // namespace alknet::call
