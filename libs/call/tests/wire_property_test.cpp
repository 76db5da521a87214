// Whatever comes on the wire, in whatever order: nothing runs that the caller may not run, as
// nobody else than whom the stream belongs to, and nothing is left behind. More of them:
//     ALKNET_WIRES=100000 call_tests --gtest_filter='CallProperty.*'
#include <alknet/base/number.hpp>
#include <alknet/call/operation_home.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/random.hpp>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "call_world.hpp"
#include "runs.hpp"

namespace alknet::call {
namespace {

using sim::Random;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::uint64_t wires() {
    const char* const wanted = std::getenv("ALKNET_WIRES");
    return wanted == nullptr ? 80 : parse_number<std::uint64_t>(wanted).value_or(80);
}

constexpr std::array<std::string_view, 3> kScopes = {"a:b", "a:c", "d:e"};

std::vector<std::string> some_scopes(Random& random) {
    std::vector<std::string> scopes;
    for (const std::string_view scope : kScopes) {
        if (random.chance(0.4)) {
            scopes.emplace_back(scope);
        }
    }
    if (random.chance(0.1)) {
        scopes.emplace_back("a:*");
    }
    return scopes;
}

std::optional<Identity> somebody(Random& random, std::string id) {
    Identity made;
    made.id = std::move(id);
    made.scopes = some_scopes(random);
    return made;
}

class Tokens final : public IdentityProvider {
public:
    task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
        co_return std::nullopt;
    }
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string) override {
        const auto found = good.find(token);
        co_return found == good.end() ? std::nullopt : std::optional(found->second);
    }

    std::map<std::string, Identity> good;
};

/// A random node, a random caller, and what may run, worked out without the node's own code.
class Model {
    Loop& loop_;

public:
    Model(Loop& loop, std::uint64_t seed) : loop_(loop), random(seed) {
        if (random.chance(0.7)) {
            connection = somebody(random, "connection");
        }
        for (const std::string token : {"t1", "t2"}) {
            tokens->good.emplace(token, *somebody(random, token));
        }
        for (std::size_t i = 0; i < 8; ++i) {
            add_operation("op/n" + std::to_string(i));
        }
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    [[nodiscard]] bool may(std::string_view name, const std::optional<Identity>& who) const {
        const Operation& operation = operations.at(std::string(name));
        if (operation.visibility == Operation::Visibility::internal) {
            return false;
        }
        if (operation.known_only && !who) {
            return false;
        }
        if (!operation.scope) {
            return true;
        }
        const std::string needed = operation.scope->text();
        return who && std::ranges::any_of(who->scopes, [&](const std::string& has) {
                   return has == needed || (has == "a:*" && needed.starts_with("a:"));
               });
    }

    /// Whose the stream is that said so in its input: what its first request made it.
    std::map<std::uint64_t, std::optional<Identity>> owners{};
    std::set<std::uint64_t> dead{};   // nothing that is sent there from now on may run
    std::set<std::string> revoked{};  // tokens
    std::size_t ran = 0;
    int running = 0;

    Random random;
    std::optional<Identity> connection;
    std::shared_ptr<Tokens> tokens = std::make_shared<Tokens>();
    std::map<std::string, Operation> operations{};
    std::shared_ptr<OperationHome> home = OperationHome::create(loop_);
    std::shared_ptr<OperationRegistry> registry = std::make_shared<OperationRegistry>(home);

private:
    void add_operation(std::string name) {
        Operation operation;
        operation.name = name;
        if (random.chance(0.7)) {
            operation.scope =
                identity::Scope::parse_exact(kScopes[random.below(kScopes.size())]).value();
        }
        operation.known_only = random.chance(0.3);
        operation.visibility =
            random.chance(0.2) ? Operation::Visibility::internal : Operation::Visibility::external;
        const Duration takes = random.duration({}, seconds(2));
        if (random.chance(0.3)) {
            operation.kind = Operation::Kind::subscription;
            operation.subscribe = [this, name, takes](CallContext context, Json input,
                                                      ItemSink& items) {
                return give(name, takes, std::move(context), std::move(input), items);
            };
        } else {
            operation.run = [this, name, takes](CallContext context, Json input) {
                return answer(name, takes, std::move(context), std::move(input));
            };
        }
        operations.emplace(name, operation);
        EXPECT_TRUE(registry->add(std::move(operation)));
    }
    void look_at(const std::string& name, const CallContext& context, const Json& input) {
        ++ran;
        EXPECT_TRUE(may(name, context.identity)) << name;
        const Json* stream = input.find("stream");
        ASSERT_NE(stream, nullptr);
        const std::uint64_t number = stream->as_unsigned().value();
        EXPECT_FALSE(input.find("dead") != nullptr) << "it came after the stream's end";
        ASSERT_TRUE(owners.contains(number));
        EXPECT_EQ(context.identity, owners.at(number));
        if (context.identity) {
            EXPECT_FALSE(revoked.contains(context.identity->id));
        }
    }
    task<result<Json>> answer(std::string name, Duration takes, CallContext context, Json input) {
        look_at(name, context, input);
        ++running;
        const auto slept = co_await loop_.sleep(takes);
        --running;
        ALKNET_CO_CHECK(slept);
        co_return input;
    }
    task<result<void>> give(std::string name, Duration takes, CallContext context, Json input,
                            ItemSink& items) {
        look_at(name, context, input);
        ++running;
        result<void> given;
        for (int i = 0; i < 20 && given; ++i) {
            given = co_await items.give({.output = std::string(2000, 'x')});
            if (given) {
                given = co_await loop_.sleep(takes / 10);
            }
        }
        --running;
        co_return given;
    }
};

/// One stream of the caller's, who sends what comes to mind.
class Caller {
public:
    Caller(Model& model, std::uint64_t number, std::unique_ptr<BiStream> stream)
        : model_(model), number_(number), wire_(std::move(stream)) {}

    task<void> send_something() {
        Random& random = model_.random;
        if (over_) {
            co_return;
        }
        if (random.chance(0.55)) {
            co_await request();
        } else if (random.chance(0.25)) {
            co_await send(Aborted{});
        } else if (random.chance(0.25)) {
            co_await send(Credit{.items = random.between(1, 30)});
        } else if (random.chance(0.2)) {
            co_await send(Responded{.output = 1, .seq = random.below(3)});
        } else if (random.chance(0.2)) {
            co_await send(Completed{});
        } else if (random.chance(0.2)) {
            co_await send(Failed{.code = "LIMIT", .message = "m"});
        } else if (random.chance(0.3)) {
            const Heartbeat beat;
            EventEnvelope envelope{.id = {}, .event = beat};
            (void)co_await wire_.send(std::move(envelope));
        } else if (random.chance(0.5)) {
            co_await malformed();
        } else if (random.chance(0.3)) {
            co_await end_badly();
        } else {
            co_await read_a_little();
        }
    }

private:
    // Few of them, so that they meet.
    std::string some_id() { return "i" + std::to_string(model_.random.below(12)); }

    task<void> send(EventBody body) {
        EventEnvelope envelope{.id = some_id(), .event = std::move(body)};
        auto sent = with_timeout(milliseconds(50), wire_.send(std::move(envelope)));
        over_ = !co_await std::move(sent);
    }
    task<void> request() {
        Random& random = model_.random;
        Requested request{.operation = "op/n" + std::to_string(random.below(9)), .input = {}};
        if (random.chance(0.05)) {
            request.operation = "services/list";
        }
        const bool first = !std::exchange(asked_, true);
        if (random.chance(first ? 0.5 : 0.05)) {
            request.auth_token = random.chance(0.7) ? "t" + std::to_string(random.between(1, 2))
                                                    : std::string("bad");
        }
        Json::Object input{{"stream", number_}};
        if (first) {
            begin(request.auth_token);
        }
        if (dead()) {
            input.emplace_back("dead", true);
        }
        request.input = request.operation == "services/list" ? Json() : Json(std::move(input));
        request.detach = random.chance(0.1);
        if (random.chance(0.3)) {
            request.credit = random.below(5);
        }
        if (random.chance(0.3)) {
            request.timeout_ms = random.below(3000);
        }
        co_await send(std::move(request));
    }
    /// Whose the stream is from its first request on.
    void begin(const std::optional<std::string>& token) {
        model_.owners[number_] = model_.connection;
        if (token && model_.tokens->good.contains(*token)) {
            model_.owners[number_] = model_.tokens->good.at(*token);
        } else if (token) {
            die();
        }
    }
    task<void> malformed() {
        const bool with_token = model_.random.chance(0.3);
        if (!std::exchange(asked_, true)) {
            begin(std::nullopt);
        }
        if (with_token) {
            die();
        }
        std::string text = R"({"type": "call.requested", "id": ")" + some_id() +
                           R"(", "payload": {"operationId": 7)" +
                           (with_token ? R"(, "auth_token": "t1")" : "") + "}}";
        auto sent = with_timeout(milliseconds(50), wire_.send_text(std::move(text)));
        over_ = !co_await std::move(sent);
    }
    task<void> end_badly() {
        die();
        Random& random = model_.random;
        if (random.chance(0.3)) {
            wire_.stream().reset(7);
        } else if (random.chance(0.3)) {
            (void)co_await wire_.stream().finish();
        } else {
            Bytes noise(random.between(1, 40));
            random.fill(noise);
            noise[0] = std::byte{0xff};  // no length that is allowed
            auto sent = with_timeout(milliseconds(50), wire_.send(std::move(noise)));
            over_ = !co_await std::move(sent);
        }
    }
    task<void> read_a_little() {
        for (std::uint64_t i = model_.random.below(20); i > 0; --i) {
            if (!co_await with_timeout(milliseconds(10), wire_.next())) {
                co_return;
            }
        }
    }
    void die() { model_.dead.insert(number_); }
    [[nodiscard]] bool dead() const { return model_.dead.contains(number_); }

    Model& model_;
    std::uint64_t number_;
    Wire wire_;
    bool asked_ = false;
    bool over_ = false;  // a frame may have been cut off in the middle
};

/// A token goes, or comes back; what it opened ends.
task<void> change_tokens(Model& model, CallAdapter& adapter) {
    const std::string token = "t" + std::to_string(model.random.between(1, 2));
    if (model.tokens->good.erase(token) > 0) {
        model.revoked.insert(token);
    }
    co_await adapter.recheck_identities();
}

task<std::size_t> play(Loop& loop, std::uint64_t seed) {
    Model model(loop, seed);
    World world(loop, model.random.chance(0.5) ? Carrier::streams : Carrier::one_stream,
                model.connection, {}, model.tokens, model.registry);
    std::vector<std::unique_ptr<Caller>> callers;
    for (std::uint64_t step = model.random.between(5, 80); step > 0; --step) {
        if (callers.empty() || model.random.chance(0.08)) {
            auto opened = co_await with_timeout(milliseconds(10), world.client->open_bi());
            if (opened) {
                const std::uint64_t number = callers.size();
                callers.push_back(std::make_unique<Caller>(model, number, *std::move(opened)));
            }
        }
        if (callers.empty()) {
            break;
        }
        Caller& caller = *callers[model.random.below(callers.size())];
        co_await caller.send_something();
        if (model.random.chance(0.05)) {
            co_await change_tokens(model, *world.adapter);
        }
        if (model.random.chance(0.4)) {
            (void)co_await loop.sleep(model.random.duration({}, seconds(1)));
        }
    }
    callers.clear();
    co_await world.end();
    co_await model.home->close();
    EXPECT_EQ(model.running, 0);
    co_return model.ran;
}

ALKNET_CO_TEST(CallProperty, NothingRunsThatTheCallerMayNotAndNothingIsLeft) {
    std::size_t ran = 0;
    for (std::uint64_t seed = 1; seed <= wires(); ++seed) {
        const testing::ScopedTrace trace(__FILE__, __LINE__, "seed " + std::to_string(seed));
        ran += co_await play(loop, seed);
        ALKNET_CO_ASSERT(!testing::Test::HasFailure());
    }
    EXPECT_GT(ran, wires());  // the worlds are not empty
}

ALKNET_CO_TEST(CallProperty, WhatIsListedCanBeCalledAndNothingElse) {
    for (std::uint64_t seed = 1; seed <= wires(); ++seed) {
        Model model(loop, seed);
        model.owners[0] = model.connection;
        const CallContext context{.identity = model.connection};
        const auto listed = co_await model.registry->call("services/list", context, {});
        ALKNET_CO_ASSERT_OK(listed);
        std::set<std::string> names;
        for (const Json& one : *listed->find("operations")->as_array()) {
            names.emplace(one.text_of("name"));
        }
        for (const auto& [name, operation] : model.operations) {
            const bool is_listed = names.contains("/" + name);
            EXPECT_EQ(is_listed, model.may(name, model.connection)) << seed << name;
            const auto outcome =
                co_await model.registry->call(name, context, Json::object({{"stream", 0}}));
            const bool callable = outcome || outcome.error().is(causes::kOperationType);
            EXPECT_EQ(is_listed, callable) << seed << name;
            const auto schema = co_await model.registry->call("services/schema", context,
                                                              Json::object({{"name", name}}));
            EXPECT_EQ(is_listed, schema.has_value()) << seed << name;
        }
        co_await model.home->close();
    }
}

}  // namespace
}  // namespace alknet::call
