// Whose a stream is: tokens in its first request, and what becomes of it when they end.
#include <alknet/identity/provider.hpp>
#include <alknet/identity/signed_provider.hpp>
#include <alknet/identity/token.hpp>
#include <map>

#include "call_world.hpp"

namespace alknet::call {
namespace {

using std::chrono::seconds;

class Tokens final : public IdentityProvider {
public:
    explicit Tokens(Loop& loop) : loop_(loop) {}

    task<result<std::optional<Identity>>> resolve_from_fingerprint(std::string) override {
        co_return std::nullopt;
    }
    task<result<std::optional<Identity>>> resolve_from_token(std::string token,
                                                             std::string purpose) override {
        EXPECT_EQ(purpose, kCallAlpn);
        const auto now = look_up(token);
        if (slow > Duration()) {
            ALKNET_CO_CHECK(co_await loop_.sleep(slow));
        }
        co_return now;
    }
    task<result<std::optional<Identity>>> recheck_token(std::string token, std::string) override {
        ++rechecked;
        if (unavailable) {
            co_return fail(causes::kShuttingDown);
        }
        co_return look_up(token);
    }

    std::map<std::string, Identity> known_tokens{{"good", known({"test:scoped", "a:b"})}};
    Duration slow{};
    bool unavailable = false;
    int rechecked = 0;

private:
    result<std::optional<Identity>> look_up(const std::string& token) const {
        if (token == "expired") {
            return fail(causes::kTokenInvalid, "a secret of the node");
        }
        if (token == "full") {
            return fail(causes::kLimit, "a secret of the node");
        }
        const auto found = known_tokens.find(token);
        return found == known_tokens.end() ? std::nullopt : std::optional(found->second);
    }
    Loop& loop_;
};

struct TokenWorld : World {
    explicit TokenWorld(Loop& on, std::optional<Identity> connection = std::nullopt,
                        Carrier carrier = Carrier::streams)
        : TokenWorld(on, std::make_shared<Tokens>(on), std::move(connection), carrier) {}
    TokenWorld(Loop& on, std::shared_ptr<Tokens> given, std::optional<Identity> connection,
               Carrier carrier)
        : World(on, carrier, std::move(connection), {}, given), tokens(std::move(given)) {
        Operation endless = make("test/endless", {});
        endless.kind = Operation::Kind::subscription;
        endless.scope = identity::Scope::parse_exact("test:scoped").value();
        endless.subscribe = [this](CallContext, Json, ItemSink& items) {
            return give_all(seen, items);
        };
        EXPECT_TRUE(registry->add(std::move(endless)));
    }
    static task<result<void>> give_all(Seen& seen, ItemSink& items) {
        ++seen.running;
        result<void> given;
        while (given) {
            given = co_await items.give({.output = std::string(1000, 'x')});
        }
        --seen.running;
        co_return given;
    }
    task<void> recheck() { co_await adapter->recheck_identities(); }

    std::shared_ptr<Tokens> tokens;
};

Requested with_token(std::string token, std::string operation = "test/scoped") {
    Requested request{.operation = std::move(operation), .input = {}};
    request.auth_token = std::move(token);
    return request;
}

task<bool> responds(Wire& wire) {
    const auto event = co_await wire.next();
    co_return event&& std::holds_alternative<Responded>(event->event);
}

ALKNET_CO_TEST(CallTokens, InTheFirstRequestAreWhoTheStreamBelongsTo) {
    TokenWorld world(loop);
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = with_token("good")}));
    EXPECT_TRUE(co_await responds(wire));
    EXPECT_TRUE(co_await wire.ask("2", "test/scoped"));
    EXPECT_TRUE(co_await responds(wire));
    EXPECT_TRUE(co_await wire.send({.id = "3", .event = with_token("good")}));
    EXPECT_EQ(co_await wire.failure("3"), "INVALID_INPUT");
    Wire other((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await other.ask("4", "test/scoped"));
    EXPECT_EQ(co_await other.failure("4"), "FORBIDDEN");
    EXPECT_TRUE(co_await other.send({.id = "5", .event = with_token("good")}));
    EXPECT_EQ(co_await other.failure("5"), "INVALID_INPUT");
    // What runs of strangers is 16; this one is none.
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(co_await wire.ask("w" + std::to_string(i), "test/wait"));
    }
    EXPECT_TRUE(co_await wire.ask("6", "test/scoped"));
    EXPECT_TRUE(co_await responds(wire));
    co_await world.end();
}

// Whoever the connection belongs to: nothing falls back to that.
ALKNET_CO_TEST(CallTokens, ThatAreNotGoodEndTheirStream) {
    TokenWorld world(loop, known());
    const std::vector<std::pair<std::string, std::string>> tokens = {
        {"bad", "FORBIDDEN"},  {"expired", "FORBIDDEN"},  {"", "FORBIDDEN"},
        {"alk_", "FORBIDDEN"}, {"\xff\xfe", "FORBIDDEN"}, {"full", "LIMIT"}};
    for (const auto& [token, code] : tokens) {
        Wire wire((co_await world.client->open_bi()).value());
        EXPECT_TRUE(co_await wire.send({.id = "1", .event = with_token(token, "test/echo")}));
        const auto refused = co_await wire.next();
        ALKNET_CO_ASSERT_OK(refused);
        const Failed* failed = std::get_if<Failed>(&refused->event);
        ALKNET_CO_ASSERT(failed != nullptr);
        EXPECT_EQ(failed->code, code);
        EXPECT_EQ(failed->details.text_of("detail"), "");
        EXPECT_EQ(co_await wire.failure(""), code) << token;
        EXPECT_TRUE(co_await wire.ended());
    }
    EXPECT_TRUE(world.seen.contexts.empty());
    co_await world.end();
}

// A request that cannot be used may have meant to be somebody else's.
ALKNET_CO_TEST(CallTokens, InAnUnusableRequestEndItsStream) {
    TokenWorld world(loop, known());
    for (const std::string_view payload :
         {R"({"operationId": "/test/echo", "auth_token": 5})",
          R"({"operationId": "nothing", "auth_token": "good"})",
          R"({"operationId": "/test/echo", "auth_token": {"good": true}})"}) {
        Wire wire((co_await world.client->open_bi()).value());
        EXPECT_TRUE(co_await wire.send_text(R"({"type": "call.requested", "id": "1", "payload": )" +
                                            std::string(payload) + "}"));
        EXPECT_EQ(co_await wire.failure("1"), "INVALID_INPUT");
        EXPECT_EQ(co_await wire.failure(""), "FORBIDDEN");
        EXPECT_TRUE(co_await wire.ended());
    }
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.send_text(R"({"type": "call.requested", "id": "1", "payload": {}})"));
    EXPECT_EQ(co_await wire.failure("1"), "INVALID_INPUT");
    EXPECT_TRUE(co_await wire.send({.id = "2", .event = with_token("good")}));
    EXPECT_EQ(co_await wire.failure("2"), "INVALID_INPUT");
    EXPECT_TRUE(co_await wire.ask("3", "test/echo"));
    EXPECT_TRUE(co_await responds(wire));
    co_await world.end();
}

// `what` happens to the token while a call and a subscription that nobody reads run.
task<void> end_by(TokenWorld& world, std::function<void(Tokens&)> what) {
    Wire wire((co_await world.client->open_bi()).value());
    Wire other((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = with_token("good", "test/wait")}));
    EXPECT_TRUE(co_await wire.ask("2", "test/endless"));
    EXPECT_TRUE(co_await other.ask("3", "test/wait"));
    co_await world.loop.sleep(seconds(5));
    EXPECT_EQ(world.seen.running, 3);
    co_await world.recheck();
    co_await world.loop.sleep(seconds(5));
    EXPECT_EQ(world.seen.running, 3);
    what(*world.tokens);
    co_await world.recheck();
    co_await world.loop.sleep(seconds(1));
    EXPECT_EQ(world.seen.running, 1);
    EXPECT_EQ(world.adapter->in_flight(), 1U);
    // The connection goes on.
    EXPECT_TRUE(co_await other.ask("4", "test/echo"));
    EXPECT_TRUE(co_await responds(other));
    co_await world.loop.sleep(seconds(1));
    const int rechecked = world.tokens->rechecked;
    co_await world.recheck();
    EXPECT_EQ(world.tokens->rechecked, rechecked) << "the stream is still there";
    co_await world.end();
}

ALKNET_CO_TEST(CallTokens, ThatHaveGoneEndWhatRunsWithinASecond) {
    TokenWorld world(loop);
    co_await end_by(world, [](Tokens& tokens) { tokens.known_tokens.clear(); });
}

ALKNET_CO_TEST(CallTokens, ThatMayLessEndWhatRunsWithinASecond) {
    TokenWorld world(loop);
    co_await end_by(world,
                    [](Tokens& tokens) { tokens.known_tokens["good"].scopes = {"test:scoped"}; });
}

ALKNET_CO_TEST(CallTokens, AreToldThatTheyEndWhereSomebodyReads) {
    TokenWorld world(loop);
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = with_token("good", "test/wait")}));
    co_await world.loop.sleep(seconds(1));
    world.tokens->known_tokens["good"].scopes.push_back("more:still");
    world.tokens->unavailable = true;
    co_await world.recheck();
    world.tokens->unavailable = false;
    co_await world.recheck();
    co_await world.loop.sleep(seconds(1));
    EXPECT_EQ(world.seen.running, 1);
    world.tokens->known_tokens.clear();
    co_await world.recheck();
    EXPECT_EQ(co_await wire.failure(""), "FORBIDDEN");
    EXPECT_TRUE(co_await wire.ended());
    EXPECT_EQ(world.seen.cancelled, 1);
    co_await world.end();
}

ALKNET_CO_TEST(CallTokens, ThatGoWhileTheyAreLookedUpAreRefused) {
    TokenWorld world(loop);
    world.tokens->slow = seconds(3);
    Wire wire((co_await world.client->open_bi()).value());
    EXPECT_TRUE(co_await wire.send({.id = "1", .event = with_token("good")}));
    co_await world.loop.sleep(seconds(1));
    world.tokens->known_tokens.clear();
    co_await world.recheck();
    EXPECT_EQ(co_await wire.failure("1"), "FORBIDDEN");
    EXPECT_TRUE(world.seen.contexts.empty());
    co_await world.end();
}

/// Every kind of token, as a node knows them.
struct Directory {
    explicit Directory(sim::VirtualClock& time) : clock(time) {
        identity::PeerRecord bob;
        bob.id = bob.name = "bob";
        bob.fingerprints = {key->id().fingerprint()};
        bob.grants.push_back(
            identity::Grant{identity::Scope::parse_exact("test:scoped").value(), {}, {}});
        identity::TokenRecord of_bob;
        of_bob.id = bearer.id;
        of_bob.hash = bearer.hash;
        of_bob.peer = "bob";
        identity::TokenRecord robot;
        robot.id = api_key.id;
        robot.hash = api_key.hash;
        robot.grants = bob.grants;
        list.peers = {bob};
        list.tokens = {of_bob, robot};
        peers = std::make_shared<identity::ConfigIdentityProvider>(clock, directory());
        identity::SignedTokenOptions options;
        options.audience = node;
        options.peers = peers;
        clock.advance(seconds(1000));
        signing = std::make_shared<identity::SignedTokenProvider>(clock, options);
        clock.advance(seconds(1000));
    }
    [[nodiscard]] std::shared_ptr<const identity::PeerDirectory> directory() const {
        return identity::PeerDirectory::create(list).value();
    }
    [[nodiscard]] std::shared_ptr<IdentityProvider> provider() const {
        return std::make_shared<identity::IdentityChain>(
            std::vector<std::shared_ptr<IdentityProvider>>{peers, signing});
    }
    [[nodiscard]] std::string sign(std::string purpose) const {
        return identity::sign_token(*key, {.audience = node,
                                           .purpose = std::move(purpose),
                                           .now = clock.wall_now(),
                                           .counter = 0})
            .value()
            .encode();
    }
    static std::string text(const identity::NewToken& token) {
        return std::string(as_text(token.text.view()));
    }

    sim::VirtualClock& clock;
    std::shared_ptr<const NodeKey> key = NodeKey::generate();
    NodeId node = NodeKey::generate()->id();
    identity::NewToken bearer = identity::make_token();
    identity::NewToken api_key = identity::make_token();
    identity::PeerList list;
    std::shared_ptr<identity::ConfigIdentityProvider> peers;
    std::shared_ptr<identity::SignedTokenProvider> signing;
};

ALKNET_CO_TEST(CallTokens, OfEveryKindOpenAStreamAndASignedOneOpensOne) {
    Directory directory(clock);
    World world(loop, Carrier::streams, std::nullopt, {}, directory.provider());
    const std::string signed_token = directory.sign("alknet/call");
    const std::vector<std::pair<std::string, std::string>> tokens = {
        {Directory::text(directory.bearer), "bob"},
        {Directory::text(directory.bearer), "bob"},
        {Directory::text(directory.api_key), directory.api_key.id},
        {signed_token, "bob"}};
    std::vector<std::unique_ptr<Wire>> wires;
    for (const auto& [token, id] : tokens) {
        wires.push_back(std::make_unique<Wire>((co_await world.client->open_bi()).value()));
        EXPECT_TRUE(co_await wires.back()->send({.id = "1", .event = with_token(token)}));
        EXPECT_TRUE(co_await responds(*wires.back()));
        EXPECT_EQ(world.seen.contexts.back().identity->id, id);
    }
    for (const std::string& token : {signed_token, directory.sign("http")}) {
        Wire wire((co_await world.client->open_bi()).value());
        EXPECT_TRUE(co_await wire.send({.id = "1", .event = with_token(token)}));
        EXPECT_EQ(co_await wire.failure("1"), "FORBIDDEN");
    }
    // However much later: a session lasts longer than the token's window.
    directory.clock.advance(std::chrono::hours(10));
    co_await world.adapter->recheck_identities();
    for (const auto& wire : wires) {
        EXPECT_TRUE(co_await wire->ask("2", "test/scoped"));
        EXPECT_TRUE(co_await responds(*wire));
    }
    directory.list.peers[0].enabled = false;
    directory.peers->replace(directory.directory());
    co_await world.adapter->recheck_identities();
    for (const std::size_t of_bob : {0U, 1U, 3U}) {
        EXPECT_EQ(co_await wires[of_bob]->failure(""), "FORBIDDEN");
    }
    EXPECT_TRUE(co_await wires[2]->ask("3", "test/scoped"));
    EXPECT_TRUE(co_await responds(*wires[2]));
    co_await world.end();
}

}  // namespace
}  // namespace alknet::call
