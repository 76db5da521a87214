// What is internal to a node, asked for by another one: two nodes of the program, with their own
// homes, on real sockets.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <alknet/base/wire.hpp>
#include <alknet/call/client.hpp>
#include <alknet/call/envelope.hpp>
#include <alknet/call/imported.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node.hpp"
#include "services.hpp"

namespace alknet::app {
namespace {

using call::Operation;

constexpr Duration kPatience = std::chrono::seconds(30);

/// A node of the program: its home, what it offers, and where it listens.
struct OneNode {
    config::Home home;
    std::shared_ptr<call::OperationRegistry> operations =
        std::make_shared<call::OperationRegistry>();
    std::unique_ptr<Node> node{};
    SocketAddress address{};
};

config::Home make_home(const std::filesystem::path& directory) {
    EXPECT_TRUE(config::Home::create(
        directory, {.addresses = {}, .names = {"localhost"}, .program = "test 1"}));
    return config::Home::open(directory, services()).value();
}

std::string key_of(const OneNode& one) {
    return one.home.load_key(one.home.load_config().value().fixed).value()->id().fingerprint();
}

result<void> start(Loop& loop, OneNode& one, const std::string& text) {
    std::ofstream(one.home.config_file(), std::ios::binary) << text;
    EXPECT_EQ(::chmod(one.home.config_file().c_str(), 0600), 0);
    NodeOptions options;
    options.network = net::make_system_network();
    options.config_text = text;
    options.operations = one.operations;
    config::Listener listener;
    listener.name = "test";
    listener.addresses = {SocketAddress::v4({127, 0, 0, 1}, 0)};
    options.listeners = {listener};
    ALKNET_TRY(config::Config config, one.home.load_config());
    ALKNET_TRY(one.node, Node::create(loop, one.home, std::move(config), std::move(options)));
    ALKNET_TRY(const auto open, one.node->listen());
    one.address = open.front().bound;
    return {};
}

task<result<Json>> count_run(int& runs) {
    ++runs;
    co_return "run";
}

task<result<void>> count_watch(int& runs) {
    ++runs;
    co_return result<void>();
}

Operation operation(std::string name, Operation::Visibility visibility, int& runs) {
    Operation made;
    made.name = std::move(name);
    made.about = "a test's";
    made.visibility = visibility;
    made.run = [&runs](call::CallContext, Json) { return count_run(runs); };
    return made;
}

/// One query, one mutation with a scope, one subscription, all of them internal; and an open one.
void offer(OneNode& one, int& runs) {
    constexpr auto kInternal = Operation::Visibility::internal;
    EXPECT_TRUE(one.operations->add(operation("hidden/query", kInternal, runs)));
    Operation mutation = operation("hidden/mutation", kInternal, runs);
    mutation.kind = Operation::Kind::mutation;
    mutation.scope = identity::Scope::parse_exact("hidden:change").value();
    EXPECT_TRUE(one.operations->add(std::move(mutation)));
    Operation watch = operation("hidden/watch", kInternal, runs);
    watch.kind = Operation::Kind::subscription;
    watch.run = {};
    watch.subscribe = [&runs](call::CallContext, Json, call::ItemSink&) {
        return count_watch(runs);
    };
    EXPECT_TRUE(one.operations->add(std::move(watch)));
    EXPECT_TRUE(
        one.operations->add(operation("open/query", Operation::Visibility::external, runs)));
}

/// Everything that a caller can ask about one name, as payloads of call.requested.
std::vector<Json> questions_about(const std::string& name) {
    const Json slashed("/" + name);
    const Json empty(Json::Object{});
    const Json input = Json::object({{"member", 1}});
    return {Json::object({{"operationId", slashed}}),
            Json::object({{"operationId", slashed}, {"input", input}}),
            Json::object({{"operationId", slashed}, {"input", empty}, {"timeout_ms", 5000}}),
            Json::object({{"operationId", slashed}, {"detach", true}}),
            Json::object({{"operationId", slashed}, {"resume_after", 7}, {"credit", 1}}),
            Json::object({{"operationId", slashed}, {"depth", 17}}),
            Json::object({{"operationId", slashed}, {"traceparent", "00-1"}}),
            Json::object({{"operationId", "/services/schema"},
                          {"input", Json::object({{"name", slashed}})}}),
            Json::object(
                {{"operationId", "/services/schema"}, {"input", Json::object({{"name", name}})}})};
}

/// Frames by hand on one stream.
class Frames {
public:
    explicit Frames(std::unique_ptr<BiStream> stream) : stream_(std::move(stream)) {}

    /// The text of the answer.
    task<result<std::string>> ask(Json payload) {
        WireWriter writer;
        writer.text<std::uint32_t>(
            Json::object(
                {{"type", "call.requested"}, {"id", "same"}, {"payload", std::move(payload)}})
                .text());
        const Bytes frame = writer.take();
        ALKNET_CO_CHECK(co_await stream_->write(frame));
        Bytes chunk(4096);
        for (;;) {
            ALKNET_CO_TRY(const auto text, decoder_.next());
            if (text) {
                co_return std::string(*text);
            }
            ALKNET_CO_TRY(const std::size_t size, co_await stream_->read(chunk));
            if (size == 0) {
                co_return fail(causes::kClosed);
            }
            decoder_.push(BytesView(chunk).first(size));
        }
    }

private:
    std::unique_ptr<BiStream> stream_;
    call::FrameDecoder decoder_{call::kFrameBytesMax};
};

std::string without(std::string text, std::string_view name) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name)) {
        text.replace(at, name.size(), "NAME");
    }
    return text;
}

task<result<std::vector<std::string>>> answers_about(Frames& frames, std::string name) {
    std::vector<std::string> answers;
    for (Json& question : questions_about(name)) {
        ALKNET_CO_TRY(std::string answer, co_await frames.ask(std::move(question)));
        answers.push_back(without(std::move(answer), name));
    }
    co_return answers;
}

task<result<std::set<std::string>>> names_listed(Loop& loop,
                                                 std::shared_ptr<Connection> connection) {
    const auto client = call::CallClient::create(loop, std::move(connection));
    std::set<std::string> names;
    auto list = co_await client->call("services/list", Json(Json::Object()));
    // What an import would take.
    auto found = co_await call::discover(*client, {.timeout = kPatience});
    co_await client->close();
    ALKNET_CO_CHECK(list);
    ALKNET_CO_CHECK(found);
    for (const Json& one : *list->find("operations")->as_array()) {
        names.insert(std::string(one.text_of("name")));
    }
    for (const call::RemoteOperation& one : *found) {
        names.insert("/" + one.name);
    }
    co_return names;
}

class InternalOperations : public testing::TestWithParam<Transport> {
protected:
    void SetUp() override {
        const bool quic = GetParam() == Transport::quic;
        offer(far_, runs_);
        std::string text =
            "[[peer]]\nname = \"near\"\nkeys = [\"" + key_of(near_) + "\"]\nscopes = [\"*:*:*\"]\n";
        auto started = start(*loop_, far_, text);
        ASSERT_TRUE(started) << started.error().message();
        text = "[[peer]]\nname = \"far\"\nkeys = [\"" + key_of(far_) + "\"]\naddress = \"" +
               far_.address.to_string() + "\"\ntransports = [\"" + (quic ? "quic" : "tcp") +
               "\"]\n";
        started = start(*loop_, near_, text);
        ASSERT_TRUE(started) << started.error().message();
    }
    void TearDown() override { EXPECT_TRUE(block_on(*loop_, end(*this))); }

    static task<bool> end(InternalOperations& test) {
        co_await test.stranger_->shutdown();
        for (OneNode* one : {&test.near_, &test.far_}) {
            if (one->node != nullptr) {
                co_await one->node->stop();
            }
        }
        co_return true;
    }

    /// The near node's; or that of somebody whom the far one does not know.
    task<result<std::shared_ptr<Connection>>> connect(bool as_stranger) {
        std::string alpn(call::kCallAlpn);
        if (!as_stranger) {
            return near_.node->dial_peer("far", std::move(alpn));
        }
        DialOptions options;
        options.alpns = {std::move(alpn)};
        options.quic = GetParam() == Transport::quic;
        options.tcp = !options.quic;
        NodeAddress address;
        address.id = far_.node->id();
        address.host = far_.address.ip_text();
        address.port = far_.address.port();
        return stranger_->dial(std::move(address), std::move(options));
    }
    static std::shared_ptr<const tls::TlsContext> make_context() {
        tls::ContextOptions options;
        options.key = NodeKey::generate();
        return tls::TlsContext::create(std::move(options)).value();
    }

    static task<result<void>> ask_about_all(InternalOperations& test, bool as_stranger) {
        ALKNET_CO_TRY(const auto connection, co_await test.connect(as_stranger));
        ALKNET_CO_TRY(auto stream, co_await connection->open_bi());
        Frames frames(std::move(stream));
        ALKNET_CO_TRY(const auto none, co_await answers_about(frames, "no-such/thing"));
        for (const std::string name : {"hidden/query", "hidden/mutation", "hidden/watch"}) {
            ALKNET_CO_TRY(const auto answers, co_await answers_about(frames, name));
            EXPECT_EQ(answers, none) << name;
        }
        for (const std::string& answer : none) {
            const std::string_view code = as_stranger ? R"("FORBIDDEN")" : R"("NOT_FOUND")";
            EXPECT_NE(answer.find(code), std::string::npos) << answer;
        }
        connection->close(0, "");
        co_return result<void>();
    }

    const sim::TempDir root_;
    const SystemClock clock_;
    const std::unique_ptr<Loop> loop_ = Loop::create(clock_).value();
    int runs_ = 0;
    OneNode far_{.home = make_home(root_ / "far")};
    OneNode near_{.home = make_home(root_ / "near")};
    const std::unique_ptr<Dialer> stranger_ =
        Dialer::create(*loop_, net::make_system_network(), make_context(), Log());
};

TEST_P(InternalOperations, AnswerAnotherNodeAsThoseThatAreNotThere) {
    for (const bool as_stranger : {false, true}) {
        const auto asked =
            block_on(*loop_, with_timeout(kPatience, ask_about_all(*this, as_stranger)));
        EXPECT_TRUE(asked) << asked.error().message();
    }
    EXPECT_EQ(runs_, 0);
    // They are there all the same.
    EXPECT_TRUE(block_on(*loop_, far_.operations->call_internal("hidden/query", {}, {})));
    EXPECT_EQ(runs_, 1);
}

task<result<std::set<std::string>>> listed_for(
    Loop& loop, task<result<std::shared_ptr<Connection>>> connecting) {
    ALKNET_CO_TRY(const auto connection, co_await std::move(connecting));
    co_return co_await names_listed(loop, connection);
}

TEST_P(InternalOperations, StandInNoListOfAnotherNodeAndAreNotImported) {
    for (const bool as_stranger : {false, true}) {
        const auto names =
            block_on(*loop_, with_timeout(kPatience, listed_for(*loop_, connect(as_stranger))));
        ASSERT_TRUE(names) << names.error().message();
        EXPECT_EQ(*names,
                  (std::set<std::string>{"/open/query", "/services/list", "/services/schema"}));
    }
}

INSTANTIATE_TEST_SUITE_P(Transports, InternalOperations,
                         testing::Values(Transport::quic, Transport::tcp), [](const auto& test) {
                             return std::string(test.param == Transport::quic ? "Quic" : "Tcp");
                         });

}  // namespace
}  // namespace alknet::app
