// What the endpoint tells an audit log: every decision about a connection, once.
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/testing/co_test.hpp>

#include "handlers.hpp"

namespace alknet {
namespace {

using namespace test;

class Recorder final : public AuditSink {
public:
    void record(AuditEntry entry) noexcept override { entries.push_back(std::move(entry)); }
    [[nodiscard]] result<void> ready() const override {
        return full ? fail(causes::kDiskFull, "audit.log") : result<void>();
    }
    std::vector<AuditEntry> entries;
    bool full = false;
};

struct AuditedNode : TestNode {
    explicit AuditedNode(Loop& l) : TestNode(l) {
        options.audit = audit;
        EXPECT_TRUE(identities->replace({make_peer("alice", alice, {"echo:use"})}));
    }
    [[nodiscard]] std::string told() const {
        std::string text;
        for (const AuditEntry& entry : audit->entries) {
            text.append(entry.event).append(" ").append(entry.peer.empty() ? "-" : entry.peer);
            text.append(" ").append(entry.service).append(" ").append(entry.reason).append("\n");
        }
        return text;
    }
    std::shared_ptr<Recorder> audit = std::make_shared<Recorder>();
    const NodeId alice = NodeKey::generate()->id();
};

ALKNET_CO_TEST(AuditDecisions, EachIsToldOnceWithWhoAndWhyNot) {
    AuditedNode node(loop);
    node.add("public", returns_at_once);
    node.add("private", returns_at_once, {.identity_required = true});
    const SocketAddress from = SocketAddress::v4({192, 0, 2, 1}, 77);
    Served first(node, "public", {}, from);
    (void)co_await first.ended();
    Served second(node, "private", raw_key(NodeKey::generate()->id()), from);
    (void)co_await second.ended();
    Served third(node, "private", raw_key(node.alice), from);
    (void)co_await third.ended();
    Served fourth(node, "nothing", {}, from);
    (void)co_await fourth.ended();
    EXPECT_EQ(node.told(),
              "connection.admitted - public \n"
              "connection.refused - private E-AUTH-REQUIRED\n"
              "connection.admitted alice private \n"
              "connection.refused - nothing E-CONN-NO-HANDLER\n");
    for (const AuditEntry& entry : node.audit->entries) {
        EXPECT_EQ(entry.remote->to_string(), "192.0.2.1:77");
        EXPECT_TRUE(entry.repeats);
    }
    EXPECT_EQ(node.audit->entries[2].fingerprint, node.alice.fingerprint());
}

ALKNET_CO_TEST(AuditDecisions, WhoIsCutOffIsTold) {
    AuditedNode node(loop);
    node.add("x", waits_for_the_end);
    Served served(node, "x", raw_key(node.alice));
    Served stranger(node, "x");
    co_await settle(loop);
    EXPECT_TRUE(node.identities->replace({}));
    co_await node.endpoint().recheck_identities();
    EXPECT_EQ(co_await served.ended(), close_code::kForbidden);
    node.endpoint().change_registry([](HandlerRegistry& registry) {
        EXPECT_TRUE(registry.set_policy("x", {.identity_required = true}));
    });
    co_await node.endpoint().recheck_identities();
    EXPECT_EQ(co_await stranger.ended(), close_code::kAuthRequired);
    EXPECT_EQ(node.told(),
              "connection.admitted alice x \n"
              "connection.admitted - x \n"
              "connection.cut alice x E-AUTH-FORBIDDEN\n"
              "connection.cut - x E-AUTH-REQUIRED\n");
}

// Terms that end and a reload each ask for a recheck, perhaps in the same instant.
ALKNET_CO_TEST(AuditDecisions, WhoIsCutOffByTwoAtOnceIsToldOnce) {
    AuditedNode node(loop);
    node.add("x", waits_for_the_end);
    Served served(node, "x", raw_key(node.alice));
    co_await settle(loop);
    EXPECT_TRUE(node.identities->replace({}));
    TaskScope both(loop);
    both.spawn(node.endpoint().recheck_identities(), "one");
    both.spawn(node.endpoint().recheck_identities(), "two");
    EXPECT_EQ(co_await served.ended(), close_code::kForbidden);
    EXPECT_TRUE(co_await both.join());
    co_await node.endpoint().recheck_identities();
    EXPECT_EQ(node.told(),
              "connection.admitted alice x \n"
              "connection.cut alice x E-AUTH-FORBIDDEN\n");
}

ALKNET_CO_TEST(AuditDecisions, WhatCannotBeRecordedIsNotAllowed) {
    AuditedNode node(loop);
    const auto handler = node.add("x", returns_at_once);
    node.audit->full = true;
    Served refused(node, "x", raw_key(node.alice));
    EXPECT_EQ(co_await refused.ended(), close_code::kInternal);
    EXPECT_EQ(handler->started, 0);
    node.audit->full = false;
    Served served(node, "x", raw_key(node.alice));
    EXPECT_EQ(co_await served.ended(), close_code::kOk);
    EXPECT_EQ(node.told(),
              "connection.refused alice x E-DISK-FULL\n"
              "connection.admitted alice x \n");
}

}  // namespace
}  // namespace alknet
