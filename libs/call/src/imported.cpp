#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/crypto/digest.hpp>
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

result<const Operation*> ImportedOperations::define(const RemoteOperation& one) {
    const std::string key = one.name + " " + std::to_string(one.hops) + " " + one.digest();
    if (const auto found = definitions_.find(key); found != definitions_.end()) {
        return found->second.get();
    }
    if (definitions_.size() >= kDefinitionsMax) {
        return fail(causes::kLimit, "its operations have changed more than 4096 times");
    }
    auto made = std::make_unique<Operation>();
    made->name = imported_name(options_.prefix, one.name);
    if (!is_operation_name(made->name)) {
        return fail(causes::kUsage, "'" + made->name + "' is no name of an operation");
    }
    made->kind = one.kind;
    ALKNET_TRY(made->scope, options_.scope(one.name));
    made->about = one.about;
    made->hops = one.hops + options_.hops;
    ALKNET_TRY(made->input, Schema::compile(one.input, {}, UnknownKeywords::noted));
    ALKNET_TRY(made->output, Schema::compile(one.output, {}, UnknownKeywords::noted));
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
    return definitions_.emplace(key, std::move(made)).first->second.get();
}

std::vector<ImportedOperations::Refused> ImportedOperations::offer(
    const std::vector<RemoteOperation>& all) {
    const std::lock_guard lock(mutex_);
    std::vector<Refused> refused;
    offered_.clear();
    for (const RemoteOperation& one : all) {
        auto defined = define(one);
        if (!defined) {
            refused.push_back({.name = one.name, .why = defined.error().message()});
        } else if (!offered_.emplace((*defined)->name, *defined).second) {
            refused.push_back({.name = one.name, .why = "another one has this name here"});
        }
    }
    return refused;
}

const Operation* ImportedOperations::find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = offered_.find(name);
    return found == offered_.end() ? nullptr : found->second;
}

std::vector<const Operation*> ImportedOperations::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<const Operation*> list;
    for (const auto& [name, operation] : offered_) {
        list.push_back(operation);
    }
    return list;
}

}  // namespace alknet::call
