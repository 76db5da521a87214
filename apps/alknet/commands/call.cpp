// alknet call: an operation of another node.
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes_call.hpp>
#include <alknet/call/client.hpp>
#include <utility>

#include "call_batch.hpp"
#include "call_input.hpp"
#include "client.hpp"
#include "commands.hpp"
#include "control_client.hpp"
#include "json_text.hpp"
#include "output.hpp"

namespace alknet::app {

namespace {

/// Of a subscription, which may have nothing to say for long.
constexpr Duration kKeepAlive = std::chrono::seconds(25);

constexpr std::string_view kOwnNode = ".";

struct Calling {
    const CommandLine& line;
    const CallOptions& options;
    Client& client;
    std::optional<Target> target;  // nullopt: the node of this home
    std::uint64_t failed = 0;      // of a batch
};

std::string without_slash(std::string_view operation) {
    return std::string(operation.substr(operation.starts_with('/') ? 1 : 0));
}

bool for_people(const CommandLine& line) {
    return !line.json && ::isatty(STDOUT_FILENO) == 1;
}

task<result<Json>> described(Calling& calling, call::CallClient& client) {
    const std::string name = "/" + without_slash(calling.options.operation);
    const call::CallOptions how{.timeout = calling.options.timeout};
    co_return co_await client.call("services/schema", Json::object({{"name", name}}), how);
}

task<result<Json>> input_of(Calling& calling, call::CallClient& client) {
    Json schema;
    if (calling.options.subscribe || needs_schema(calling.options.input)) {
        ALKNET_CO_TRY(Json answer, co_await described(calling, client));
        // What is no subscription must not happen by mistake.
        if (calling.options.subscribe && answer.text_of("kind") != "subscription") {
            co_return fail(causes::kOperationType, calling.options.operation + " is a " +
                                                       std::string(answer.text_of("kind")));
        }
        if (Json* input = answer.find("input"); input != nullptr) {
            schema = std::move(*input);
        }
    }
    co_return call_input(calling.options.input, schema);
}

task<result<Json>> ask(Calling& calling, call::CallClient& client) {
    const CallOptions& options = calling.options;
    const call::CallOptions how{.timeout = options.timeout};
    if (options.list) {
        co_return co_await client.call("services/list", Json(Json::Object()), how);
    }
    if (!options.schema.empty()) {
        co_return co_await client.call(
            "services/schema", Json::object({{"name", "/" + without_slash(options.schema)}}), how);
    }
    ALKNET_CO_TRY(Json input, co_await input_of(calling, client));
    auto answer = co_await client.call(without_slash(options.operation), std::move(input), how);
    if (!answer && answer.error().is(errc::timeout)) {
        const auto about = co_await described(calling, client);
        if (about && about->text_of("kind") == "subscription") {
            co_return fail(causes::kOperationType, options.operation +
                                                       " is a subscription, and had nothing to "
                                                       "say yet: --subscribe waits for it");
        }
    }
    co_return answer;
}

result<void> print_answer(const Calling& calling, const Json& answer) {
    if (!for_people(calling.line)) {
        return print_line(answer.text());
    }
    return print_text(calling.options.list ? operations_text(answer) : json_for_people(answer));
}

result<void> print_item(const Calling& calling, const call::Item& item) {
    Json::Object shown;
    if (item.seq) {
        shown.emplace_back("seq", *item.seq);
    }
    if (item.missed) {
        shown.emplace_back("missed", *item.missed);
    }
    shown.emplace_back("output", item.output);
    const Json line(std::move(shown));
    return for_people(calling.line) ? print_text(json_for_people(line) + "\n")
                                    : print_line(line.text());
}

task<result<void>> print_items(Calling& calling, call::Subscription& subscription) {
    for (;;) {
        ALKNET_CO_TRY(const auto item, co_await subscription.next());
        if (!item) {
            co_return result<void>();
        }
        ALKNET_CO_CHECK(print_item(calling, *item));
    }
}

task<result<void>> subscribe(Calling& calling, call::CallClient& client) {
    ALKNET_CO_TRY(Json input, co_await input_of(calling, client));
    call::SubscribeOptions how{.resume_after = calling.options.after};
    ALKNET_CO_TRY(const auto subscription,
                  co_await client.subscribe(without_slash(calling.options.operation),
                                            std::move(input), std::move(how)));
    co_return co_await print_items(calling, *subscription);
}

task<result<void>> call_and_print(Calling& calling, call::CallClient& client) {
    ALKNET_CO_TRY(const Json answer, co_await ask(calling, client));
    co_return print_answer(calling, answer);
}

task<result<void>> batch(Calling& calling, call::CallClient& client) {
    BatchOptions how{.operation = without_slash(calling.options.operation),
                     .timeout = calling.options.timeout,
                     .parallel = calling.options.parallel};
    ALKNET_CO_TRY(calling.failed,
                  co_await call_batch(calling.client.loop(), client, std::move(how)));
    co_return result<void>();
}

task<result<void>> work(Calling& calling, call::CallClient& client) {
    return calling.options.subscribe ? subscribe(calling, client)
           : calling.options.batch   ? batch(calling, client)
                                     : call_and_print(calling, client);
}

task<result<std::shared_ptr<Connection>>> connect(Calling& calling) {
    if (!calling.target) {
        ALKNET_CO_TRY(const auto home, open_home(calling.line));
        co_return dial_own_node(calling.client.loop(), home);
    }
    ALKNET_CO_TRY(DialOptions dial, dial_options(calling.options.wishes, *calling.target,
                                                 {std::string(call::kCallAlpn)}));
    dial.transport.handshake_timeout =
        std::min(dial.transport.handshake_timeout, calling.options.timeout);
    if (calling.options.subscribe) {
        dial.transport.keep_alive = kKeepAlive;
    }
    co_return co_await calling.client.dialer().dial(calling.target->address, std::move(dial));
}

task<result<void>> call_node(Calling& calling) {
    ALKNET_CO_TRY(auto connection, co_await connect(calling));
    const auto client = call::CallClient::create(calling.client.loop(), connection);
    auto outcome = co_await work(calling, *client);
    co_await client->close();
    co_return outcome;
}

result<void> check(const CallOptions& options) {
    const bool schema = !options.schema.empty();
    const bool operation = !options.operation.empty();
    const int asked = (options.list ? 1 : 0) + (schema ? 1 : 0) + (operation ? 1 : 0);
    if (asked != 1 && !(options.batch && asked == 0)) {
        return fail(causes::kUsage, "one of OPERATION, --list and --schema is needed");
    }
    if (options.subscribe && (!operation || options.batch)) {
        return fail(causes::kUsage, "--subscribe takes an OPERATION, and is no --batch");
    }
    if (options.batch && (options.list || schema || !options.input.empty())) {
        return fail(causes::kUsage, "--batch takes its input from standard input alone");
    }
    const std::string name = without_slash(schema ? options.schema : options.operation);
    if ((schema || operation) && !call::is_operation_name(name)) {
        return fail(causes::kUsage, "an operation is SERVICE/NAME, not '" + name + "'");
    }
    return {};
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const CallOptions& options) {
    ALKNET_CHECK(check(options));
    ALKNET_TRY(auto client, Client::create(line, Client::As::owner, options.wishes.tofu));
    Calling calling{.line = line, .options = options, .client = *client, .target = {}};
    if (options.address != kOwnNode) {
        ALKNET_TRY(calling.target, resolve_target(options.address, client->peers()));
    }
    if (auto outcome = client->run(call_node(calling)); !outcome) {
        return unexpected(explain_close(std::move(outcome).error()));
    }
    return calling.failed == 0 ? ExitCode::ok : ExitCode::failure;
}

}  // namespace alknet::app
