// Who is believed to be a host that is named without its key.
#include <alknet/core/trusting_dialer.hpp>

#include <alknet/core/known_nodes_file.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <fstream>
#include <vector>

#include "world.hpp"

namespace alknet {
namespace {

using namespace test;

class Trusting : public WorldTest {
protected:
    Trusting() {
        world.add_name("node.example", {server_host.v4(0)});
        become(make_context());
    }

    /// The node is another one from now on.
    void become(std::shared_ptr<const tls::TlsContext> tls, bool quic = true, bool tcp = true) {
        run_on(*server_process, done_after(node->endpoint().shutdown()));
        node = std::make_unique<TestNode>(server_process->loop());
        node->options.network = server_process->network();
        node->options.tls = tls;
        node->options.secrets = quic::make_secrets();
        server_tls = std::move(tls);
        serve_echo();
        ListenerOptions options;
        options.address = server_host.v4(kPort);
        options.quic = quic;
        options.tcp = tcp;
        ASSERT_TRUE(node->endpoint().listen(options));
    }
    /// With a certificate for node.example that this test's clients take for an authority's.
    std::shared_ptr<const tls::TlsContext> certified() {
        const std::string number = std::to_string(++certificates);
        const tls::CertificateFiles files{.chain = home / (number + ".pem"),
                                          .key = home / (number + "-key.pem")};
        EXPECT_TRUE(tls::make_self_signed(files, {"node.example"}));
        trusted.push_back(files.chain);
        tls::ContextOptions options;
        options.key = NodeKey::generate();
        options.certificates = {files};
        return tls::TlsContext::create(std::move(options)).value();
    }
    [[nodiscard]] std::shared_ptr<const tls::TlsContext> client() const {
        tls::ContextOptions options;
        options.key = NodeKey::generate();
        options.authorities = trusted;
        return tls::TlsContext::create(std::move(options)).value();
    }

    std::unique_ptr<Dialer> trusting(TrustOptions options = {}) {
        options.file = file.path();
        options.broken = [this](const TrustBroken& told) { broken.push_back(told); };
        return make_trusting_dialer(client_process->loop(), make_dialer(*client_process, client()),
                                    make_dialer(*client_process, client()), std::move(options));
    }
    static TrustOptions tofu() {
        TrustOptions options;
        options.trust_first_use = true;
        return options;
    }
    TrustOptions asking(bool answer) {
        TrustOptions options;
        options.ask = [this, answer](TrustQuestion question) {
            return note(*this, std::move(question), answer);
        };
        return options;
    }
    static task<result<bool>> note(Trusting& test, TrustQuestion question, bool answer) {
        test.questions.push_back(std::move(question));
        co_return answer;
    }

    static task<result<std::optional<NodeId>>> answer_with(std::optional<NodeId> answer) {
        co_return answer;
    }
    /// By a node id.
    result<ConnectionInfo> visit_at(const NodeId& id, TrustOptions options,
                                    DialOptions dialling = any()) {
        const auto one = trusting(std::move(options));
        NodeAddress target = bare();
        target.id = id;
        auto connection = run(one->dial(std::move(target), std::move(dialling)));
        result<ConnectionInfo> seen = connection
                                          ? result<ConnectionInfo>((*connection)->info())
                                          : result<ConnectionInfo>(unexpected(connection.error()));
        connection = fail(causes::kClosed);
        run(done_after(one->shutdown()));
        return seen;
    }
    /// An answer that takes until somebody gives it.
    static task<result<bool>> wait_for(Event& asked, Event& answered) {
        asked.set();
        ALKNET_CO_CHECK(co_await answered.wait());
        co_return true;
    }

    static NodeAddress bare() {
        NodeAddress target;
        target.host = "node.example";
        target.port = kPort;
        return target;
    }
    static DialOptions any() {
        DialOptions options;
        options.alpns = {std::string(kEchoAlpn)};
        return options;
    }
    /// A dial of its own, as a command makes one.
    result<ConnectionInfo> visit(TrustOptions options = {}, DialOptions dialling = any()) {
        const auto one = trusting(std::move(options));
        return visit(*one, std::move(dialling));
    }
    result<ConnectionInfo> visit(Dialer& one, DialOptions dialling = any()) {
        auto connection = run(one.dial(bare(), std::move(dialling)));
        result<ConnectionInfo> seen = connection
                                          ? result<ConnectionInfo>((*connection)->info())
                                          : result<ConnectionInfo>(unexpected(connection.error()));
        connection = fail(causes::kClosed);
        run(done_after(one.shutdown()));
        return seen;
    }
    /// The text of the file without its first line.
    [[nodiscard]] std::string lines() const {
        const auto known = file.load();
        EXPECT_TRUE(known);
        const std::string text = known ? known->to_text() : "";
        return text.substr(text.find('\n') + 1);
    }
    [[nodiscard]] std::string key_line() const {
        return "node.example:4433 " + server_tls->key().id().fingerprint() + "\n";
    }

    sim::TempDir home;
    KnownNodesFile file{home / "known_nodes"};
    std::vector<std::filesystem::path> trusted;
    std::vector<TrustQuestion> questions;
    std::vector<TrustBroken> broken;
    int certificates = 0;
};

TEST_F(Trusting, AFirstUseNeedsSomebodyWhoAgrees) {
    const auto alone = visit();
    ASSERT_FALSE(alone);
    EXPECT_TRUE(alone.error().is(causes::kPeerUnverified)) << alone.error().message();
    EXPECT_TRUE(contains(alone.error().detail(), server_tls->key().id().fingerprint()));
    EXPECT_EQ(lines(), "");
    const auto refused = visit(asking(false));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kPeerUnverified));
    EXPECT_EQ(lines(), "");
    ASSERT_EQ(questions.size(), 1U);
    EXPECT_EQ(questions[0].name, "node.example:4433");
    EXPECT_EQ(questions[0].shown.to_string(), server_tls->key().id().fingerprint());
    const auto agreed = visit(asking(true));
    ASSERT_TRUE(agreed) << agreed.error().message();
    EXPECT_EQ(agreed->peer.key, server_tls->key().id());
    EXPECT_EQ(lines(), key_line());
    // Nobody is asked again.
    const auto later = visit();
    ASSERT_TRUE(later) << later.error().message();
    EXPECT_EQ(later->peer.key, server_tls->key().id());
    EXPECT_EQ(questions.size(), 2U);
}

TEST_F(Trusting, AFirstUseMayBeTrustedWithoutAQuestion) {
    const auto first = visit(tofu());
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_EQ(lines(), key_line());
}

TEST_F(Trusting, AKeyMayHaveASuccessor) {
    ASSERT_TRUE(visit(tofu()));
    const NodeId before = server_tls->key().id();
    const std::string known = lines();
    become(make_context());
    const NodeId now = server_tls->key().id();
    std::vector<NodeId> asked;
    std::vector<NodeId> reached;
    const auto following = [&](std::optional<NodeId> answer) {
        TrustOptions options;
        options.successor = [&asked, answer](NodeAddress, DialOptions, NodeId pinned) {
            asked.push_back(pinned);
            return answer_with(answer);
        };
        options.reached = [&reached](const NodeId& key) { reached.push_back(key); };
        return options;
    };
    // Nothing is believed.
    const auto refused = visit(following(std::nullopt));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kPeerKeyMismatch));
    EXPECT_EQ(lines(), known);
    // What was believed must be proven.
    const auto other = visit(following(NodeKey::generate()->id()));
    ASSERT_FALSE(other);
    EXPECT_TRUE(other.error().is(causes::kPeerKeyMismatch));
    ASSERT_TRUE(visit_at(before, following(now)));
    EXPECT_EQ(asked, (std::vector{before, before, before}));
    EXPECT_EQ(reached, std::vector{now});
    // So does whoever looks for a better way.
    DialOptions climbing = any();
    climbing.better_than = Rung::tcp_v4;
    EXPECT_FALSE(visit_at(before, following(std::nullopt), climbing));
    EXPECT_TRUE(visit_at(before, following(now), std::move(climbing)));
    EXPECT_EQ(asked.size(), 5U);
}

TEST_F(Trusting, AKnownNameGetsTheSuccessor) {
    ASSERT_TRUE(visit(tofu()));
    become(make_context());
    TrustOptions options;
    options.successor = [now = server_tls->key().id()](NodeAddress, DialOptions, NodeId) {
        return answer_with(now);
    };
    const auto seen = visit(std::move(options));
    ASSERT_TRUE(seen) << seen.error().message();
    EXPECT_EQ(lines(), key_line());
    EXPECT_TRUE(broken.empty());
    ASSERT_TRUE(visit());
}

TEST_F(Trusting, AChangedKeyStopsOnEveryRung) {
    ASSERT_TRUE(visit(tofu()));
    const std::string known = key_line();
    become(make_context());
    TrustOptions options = tofu();
    options.remove_command = "forget";
    for (const DialOptions& dialling : {any(), only(Transport::quic), only(Transport::tcp)}) {
        broken.clear();
        const auto changed = visit(options, dialling);
        ASSERT_FALSE(changed);
        EXPECT_TRUE(changed.error().is(causes::kPeerKeyMismatch)) << changed.error().message();
        ASSERT_EQ(broken.size(), 1U);
        EXPECT_EQ("node.example:4433 " + broken[0].known.to_string() + "\n", known);
        EXPECT_EQ(broken[0].shown, server_tls->key().id().fingerprint());
        EXPECT_EQ(broken[0].file, file.path());
        EXPECT_EQ(broken[0].line, 2U);
        EXPECT_EQ(broken[0].remove, "forget node.example:4433");
        for (const std::string& part : {broken[0].known.to_string(), broken[0].shown,
                                        file.path().native() + " line 2", broken[0].remove}) {
            EXPECT_TRUE(contains(changed.error().detail(), part)) << changed.error().detail();
        }
        EXPECT_EQ(lines(), known);
    }
}

TEST_F(Trusting, ATrustedCertificateIsRememberedAsSuch) {
    become(certified());
    const auto first = visit(asking(true));
    ASSERT_TRUE(first) << first.error().message();
    EXPECT_TRUE(first->peer.verified_by_ca);
    EXPECT_TRUE(questions.empty());
    EXPECT_EQ(lines(), "node.example:4433 ca\n");
    // Certificates come and go, as long as authorities verify them.
    become(certified());
    const auto later = visit();
    ASSERT_TRUE(later) << later.error().message();
    EXPECT_TRUE(later->peer.verified_by_ca);
}

TEST_F(Trusting, NoFirstUseFollowsAuthorities) {
    become(certified());
    ASSERT_TRUE(visit());
    become(make_context());
    const auto downgraded = visit(tofu());
    ASSERT_FALSE(downgraded);
    EXPECT_TRUE(downgraded.error().is(causes::kPeerKeyMismatch)) << downgraded.error().message();
    ASSERT_EQ(broken.size(), 1U);
    EXPECT_EQ(broken[0].known, KnownIdentity());
    EXPECT_EQ(broken[0].shown, server_tls->key().id().fingerprint());
    EXPECT_EQ(lines(), "node.example:4433 ca\n");
}

TEST_F(Trusting, NoAuthorityReplacesAKey) {
    ASSERT_TRUE(visit(tofu()));
    const std::string known = key_line();
    become(certified());
    const auto replaced = visit(tofu());
    ASSERT_FALSE(replaced);
    EXPECT_TRUE(replaced.error().is(causes::kPeerKeyMismatch)) << replaced.error().message();
    EXPECT_EQ(lines(), known);
}

TEST_F(Trusting, ACertificateThatNobodySignedCanBePinned) {
    const auto context = certified();
    trusted.clear();
    become(context);
    DialOptions looking = any();
    looking.verify = tls::VerifyNothing{.only = PeerIdentity::Kind::x509};
    const auto seen = visit(TrustOptions{}, looking);
    ASSERT_TRUE(seen) << seen.error().message();
    {
        std::ofstream text(file.path());
        text << "alknet-known-nodes 1\nnode.example:4433 " << seen->peer.fingerprint() << "\n";
    }
    const auto pinned = visit();
    ASSERT_TRUE(pinned) << pinned.error().message();
    EXPECT_EQ(pinned->peer.fingerprint(), seen->peer.fingerprint());
    become(certified());
    const auto changed = visit(tofu());
    ASSERT_FALSE(changed);
    EXPECT_TRUE(changed.error().is(causes::kPeerKeyMismatch)) << changed.error().message();
}

TEST_F(Trusting, RungsThatDisagreeAreNotBelieved) {
    become(make_context(), false, true);
    TestNode stranger{server_process->loop()};
    stranger.options.network = server_process->network();
    stranger.options.tls = make_context();
    stranger.options.secrets = quic::make_secrets();
    EXPECT_TRUE(stranger.registry->add(std::make_shared<EchoHandler>(EchoOptions{})));
    ListenerOptions udp;
    udp.address = server_host.v4(kPort);
    udp.tcp = false;
    ASSERT_TRUE(stranger.endpoint().listen(udp));
    const auto both = visit(tofu());
    ASSERT_FALSE(both);
    EXPECT_TRUE(both.error().is(causes::kPeerKeyMismatch)) << both.error().message();
    for (const auto& tls : {server_tls, stranger.options.tls}) {
        EXPECT_TRUE(contains(both.error().detail(), tls->key().id().fingerprint()));
    }
    EXPECT_EQ(lines(), "");
    run_on(*server_process, done_after(stranger.endpoint().shutdown()));
}

TEST_F(Trusting, TwoFirstContactsWithDifferentKeysBothFail) {
    Event asked;
    Event answered;
    TrustOptions options;
    options.ask = [&](TrustQuestion) { return wait_for(asked, answered); };
    const auto one = trusting(options);
    Started<result<std::shared_ptr<Connection>>> first(client_process->loop(),
                                                       one->dial(bare(), any()));
    ASSERT_TRUE(until([&] { return asked.is_set(); }));
    EXPECT_TRUE(contains(lines(), " first "));
    become(make_context());
    const auto second = visit(tofu());
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(causes::kPeerKeyMismatch)) << second.error().message();
    become(make_context());  // whatever is there now
    answered.set();
    ASSERT_TRUE(until([&] { return first.done(); }));
    ASSERT_FALSE(first.value());
    EXPECT_TRUE(first.value().error().is(causes::kPeerKeyMismatch))
        << first.value().error().message();
    EXPECT_EQ(lines(), "");
    run(done_after(one->shutdown()));
    // Once it is over, a first contact can be made again.
    EXPECT_TRUE(visit(tofu()));
}

TEST_F(Trusting, TwoFirstContactsWithTheSameKeyBothSucceed) {
    const auto one = trusting(tofu());
    const auto other = trusting(tofu());
    Started<result<std::shared_ptr<Connection>>> first(client_process->loop(),
                                                       one->dial(bare(), any()));
    Started<result<std::shared_ptr<Connection>>> second(client_process->loop(),
                                                        other->dial(bare(), any()));
    ASSERT_TRUE(until([&] { return first.done() && second.done(); }));
    EXPECT_TRUE(first.value()) << first.value().error().message();
    EXPECT_TRUE(second.value()) << second.value().error().message();
    EXPECT_EQ(lines(), key_line());
    (void)first.take();
    (void)second.take();
    run(done_after(one->shutdown()));
    run(done_after(other->shutdown()));
}

TEST_F(Trusting, AContactThatIsGivenUpLeavesNothing) {
    Event asked;
    Event answered;
    TrustOptions options;
    options.ask = [&](TrustQuestion) { return wait_for(asked, answered); };
    const auto one = trusting(options);
    Started<result<std::shared_ptr<Connection>>> first(client_process->loop(),
                                                       one->dial(bare(), any()));
    ASSERT_TRUE(until([&] { return asked.is_set(); }));
    first.cancel();
    ASSERT_TRUE(until([&] { return first.done(); }));
    EXPECT_TRUE(first.value().error().is(causes::kCancelled));
    EXPECT_EQ(lines(), "");
    run(done_after(one->shutdown()));
}

TEST_F(Trusting, WhatNamesItsKeyIsNotItsConcern) {
    const auto one = trusting();
    const auto pinned = run(one->dial(address(), any()));
    EXPECT_TRUE(pinned) << pinned.error().message();
    EXPECT_FALSE(std::filesystem::exists(file.path()));
    run(done_after(one->shutdown()));
}

TEST_F(Trusting, ABrokenFileLetsNobodyIn) {
    std::ofstream(file.path()) << "alknet-known-nodes 1\nnonsense\n";
    const auto refused = visit(tofu());
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(causes::kHomeInvalid));
    EXPECT_TRUE(contains(refused.error().detail(), "known_nodes: line 2"));
}

TEST_F(Trusting, NothingThereIsNothingToTrust) {
    world.set_cut(server_host, client_host, true);
    const auto silent = visit(tofu());
    ASSERT_FALSE(silent);
    EXPECT_TRUE(silent.error().is(causes::kHandshakeTimeout)) << silent.error().message();
    EXPECT_EQ(lines(), "");
}

}  // namespace
}  // namespace alknet
