#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/rt/combine.hpp>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace alknet::call {

namespace {

constexpr std::string_view kList = "services/list";
constexpr std::string_view kSchema = "services/schema";
constexpr std::size_t kDefinitionsBytesMax = 4 << 20;  // of one peer
constexpr std::array kKinds = {Operation::Kind::query, Operation::Kind::mutation,
                               Operation::Kind::subscription};

std::optional<Operation::Kind> kind_of(std::string_view text) {
    const auto found =
        std::ranges::find_if(kKinds, [&](Operation::Kind kind) { return to_string(kind) == text; });
    return found == kKinds.end() ? std::nullopt : std::optional(*found);
}

std::unexpected<error> no_answer(std::string why) {
    return fail(causes::kProtocol, std::string(kList) + ": " + std::move(why));
}

Json schema_in(Json& answer, std::string_view name) {
    Json* found = answer.find(name);
    return found == nullptr || found->is_null() ? Json(true) : std::move(*found);
}

/// Without its schemas.
result<RemoteOperation> read_entry(const Json& entry) {
    RemoteOperation one;
    std::string_view name = entry.text_of("name");
    if (name.starts_with('/')) {
        name.remove_prefix(1);
    }
    const auto kind = kind_of(entry.text_of("kind"));
    if (!is_operation_name(name) || !kind) {
        return no_answer("an operation has no name, or is of no kind");
    }
    one.name = std::string(name);
    one.kind = *kind;
    std::string_view about = entry.text_of("about");
    if (about.size() > kAboutBytesMax) {
        std::size_t end = kAboutBytesMax;
        while (end > 0 && (static_cast<unsigned char>(about[end]) & 0xc0U) == 0x80U) {
            --end;  // not inside a character
        }
        about = about.substr(0, end);
    }
    one.about = std::string(about);
    if (const Json* hops = entry.find("hops"); hops != nullptr) {
        // Nothing comes from farther away than this.
        one.hops = std::min<std::uint64_t>(hops->as_unsigned().value_or(kHopsMax), kHopsMax);
    }
    return one;
}

task<result<Json>> ask(CallClient& client, std::string_view operation, Json input,
                       Duration timeout) {
    CallOptions options;
    options.timeout = timeout;
    options.answer_bytes_max = kDiscoveryBytesMax;
    auto answer =
        co_await client.call(std::string(operation), std::move(input), std::move(options));
    if (!answer) {
        co_return unexpected(std::move(answer).error().within(operation));
    }
    co_return answer;
}

struct Listed {
    RemoteOperation one;  // without its schemas
    Json entry;
};

/// What somebody wants of it, which is looked at before how many those are.
result<std::vector<Listed>> read_list(const Json& answer, const Discovery& discovery) {
    const Json* operations = answer.find("operations");
    if (operations == nullptr || operations->as_array() == nullptr) {
        return no_answer("there is no list of operations");
    }
    std::vector<Listed> all;
    std::set<std::string> names;
    for (const Json& entry : *operations->as_array()) {
        ALKNET_TRY(RemoteOperation one, read_entry(entry));
        if (one.name == kList || one.name == kSchema) {
            continue;
        }
        if (!names.insert(one.name).second) {
            return no_answer("an operation is listed twice");
        }
        if (discovery.wanted && !discovery.wanted(one)) {
            continue;
        }
        if (all.size() == kRemoteOperationsMax) {
            return fail(causes::kLimit, "more than 256 operations");
        }
        all.push_back({.one = std::move(one), .entry = entry});
    }
    return all;
}

task<result<std::vector<RemoteOperation>>> discover_all(CallClient& client, Discovery discovery) {
    ALKNET_CO_TRY(const Json answer, co_await ask_for_list(client, discovery.timeout));
    ALKNET_CO_TRY(auto listed, read_list(answer, discovery));
    std::vector<RemoteOperation> all;
    std::size_t bytes = 0;
    for (auto& [one, entry] : listed) {
        if (entry.find("input") == nullptr) {
            Json asked = Json::object({{"name", "/" + one.name}});
            ALKNET_CO_TRY(entry,
                          co_await ask(client, kSchema, std::move(asked), discovery.timeout));
        }
        one.input = schema_in(entry, "input");
        one.output = schema_in(entry, "output");
        bytes += one.input.text().size() + one.output.text().size();
        if (bytes > kDefinitionsBytesMax) {
            co_return fail(causes::kLimit, "the schemas are larger than 4 MiB");
        }
        all.push_back(std::move(one));
    }
    co_return all;
}

}  // namespace

task<result<Json>> ask_for_list(CallClient& client, Duration timeout) {
    return ask(client, kList, Json(), timeout);
}

task<result<std::vector<RemoteOperation>>> discover(CallClient& client, Discovery discovery) {
    const Duration timeout = discovery.timeout;
    return with_timeout(timeout, discover_all(client, std::move(discovery)));
}

}  // namespace alknet::call
