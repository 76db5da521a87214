#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/identity/audit_log.hpp>
#include <alknet/identity/audit_repeats.hpp>
#include <alknet/identity/config_revision.hpp>
#include <alknet/testing/memory_log_sink.hpp>
#include <alknet/testing/temp_dir.hpp>

#include "audit_support.hpp"
#include "support.hpp"

namespace alknet::identity {
namespace {

using sim::TempDir;

std::shared_ptr<AuditLog> start(AuditLogOptions options) {
    auto log = AuditLog::start(std::move(options));
    EXPECT_TRUE(log);
    return log ? *log : nullptr;
}

AuditEntry entry(std::string_view event) {
    return AuditEntry{.event = event};
}

TEST(AuditLog, WritesWhatItIsToldWithTheRevisionOfThen) {
    const TempDir dir;
    {
        const auto log = start({.home = dir.path()});
        log->set_revision("first");
        AuditEntry told = entry("peer.added");
        told.level = AuditLevel::alarm;
        told.peer = "bob";
        told.fingerprint = "ed25519:00";
        told.remote = SocketAddress::v4({192, 0, 2, 1}, 77);
        told.service = "x";
        told.reason = "E-FORBIDDEN";
        told.detail = std::string(kAuditValueBytesMax + 1, 'd');
        told.more.emplace_back("uid", "0");
        log->record(std::move(told));
        log->set_revision("second");
        log->record(entry("config.reloaded"));
        EXPECT_TRUE(log->flush());
        EXPECT_EQ(events_in(dir.path()).size(), 2U);
        log->record(entry("node.stopped"));
    }
    // Its end writes what is left.
    EXPECT_EQ(events_in(dir.path()).size(), 3U);
    EXPECT_TRUE(verified(dir.path()).whole());
    std::vector<AuditRecord> records;
    ASSERT_TRUE(read_audit(dir.path(), 0, [&](const AuditRecord& record) -> result<void> {
        records.push_back(record);
        return {};
    }));
    EXPECT_EQ(records[0].field("level"), "alarm");
    EXPECT_EQ(records[0].field("peer"), "bob");
    EXPECT_EQ(records[0].field("key"), "ed25519:00");
    EXPECT_EQ(records[0].field("remote"), "192.0.2.1:77");
    EXPECT_EQ(records[0].field("service"), "x");
    EXPECT_EQ(records[0].field("reason"), "E-FORBIDDEN");
    EXPECT_EQ(records[0].field("detail"), std::string(kAuditValueBytesMax - 3, 'd') + "...");
    EXPECT_EQ(records[0].field("uid"), "0");
    EXPECT_EQ(records[0].field("revision"), "first");
    EXPECT_EQ(records[1].field("revision"), "second");
}

// Writing fails for as long as somebody else could write the file; root passes by permissions.
struct Blocked {
    explicit Blocked(const TempDir& dir) : file(dir.write(kAuditFile, "")) {
        EXPECT_EQ(::chmod(file.c_str(), 0666), 0);
    }
    void end() const { EXPECT_EQ(::chmod(file.c_str(), 0600), 0); }
    std::filesystem::path file;
};

TEST(AuditLog, CountsWhatItCannotKeepAndSaysSoAfterwards) {
    const TempDir dir;
    const auto sink = std::make_shared<sim::MemoryLogSink>();
    const Blocked blocked(dir);
    {
        const auto log = start({.home = dir.path(),
                                .log = Log(sink),
                                .gather = Duration(),
                                .retry = std::chrono::hours(1)});
        log->record(entry("test.first"));
        const auto failed = log->flush();
        ASSERT_FALSE(failed);
        EXPECT_TRUE(failed.error().is(causes::kHomeInvalid));
        for (std::size_t i = 0; i < kAuditQueueMax + 9; ++i) {
            log->record(entry("test.event"));
        }
        EXPECT_TRUE(log->ready());
        blocked.end();
    }
    EXPECT_EQ(sink->count("audit.failed"), 1U);
    EXPECT_EQ(sink->count("audit.lost"), 1U);
    EXPECT_EQ(sink->count("audit.resumed"), 1U);
    const AuditReport report = verified(dir.path());
    EXPECT_TRUE(report.whole()) << problems_of(report);
    EXPECT_EQ(report.lost, 10U);
    EXPECT_EQ(report.records, kAuditQueueMax + 1);
    EXPECT_EQ(events_in(dir.path()).back(), "audit.lost");
}

TEST(AuditLog, RefusesWhereRecordsAreRequired) {
    const TempDir dir;
    const Blocked blocked(dir);
    const auto log = start({.home = dir.path(),
                            .rules = {.required = true},
                            .gather = Duration(),
                            .retry = std::chrono::milliseconds(1)});
    EXPECT_TRUE(log->ready());
    log->record(entry("test.event"));
    EXPECT_FALSE(log->flush());
    ASSERT_FALSE(log->ready());
    EXPECT_TRUE(log->ready().error().is(causes::kHomeInvalid));
    log->set_rules({.required = false});
    EXPECT_TRUE(log->ready());
    log->set_rules({.required = true});
    blocked.end();
    while (!log->flush()) {
    }
    EXPECT_TRUE(log->ready());
    EXPECT_EQ(events_in(dir.path()).size(), 1U);
}

TEST(AuditLog, RefusesWhereTheQueueIsFull) {
    const TempDir dir;
    const auto log =
        start({.home = dir.path(), .rules = {.required = true}, .gather = std::chrono::hours(1)});
    for (std::size_t i = 0; i < kAuditQueueMax; ++i) {
        EXPECT_TRUE(log->ready());
        log->record(entry("test.event"));
    }
    ASSERT_FALSE(log->ready());
    EXPECT_TRUE(log->ready().error().is(causes::kLimit));
    EXPECT_TRUE(log->flush());
    EXPECT_TRUE(log->ready());
}

TEST(AuditLog, KeepsNothingWhereItIsSwitchedOff) {
    const TempDir dir;
    const auto log = start({.home = dir.path(), .rules = {.enabled = false, .required = true}});
    log->record(entry("test.event"));
    EXPECT_TRUE(log->ready());
    EXPECT_TRUE(log->flush());
    EXPECT_TRUE(events_in(dir.path()).empty());
}

TEST(AuditLog, CountsRepetitionsUntilItsEnd) {
    const TempDir dir;
    {
        const auto log = start({.home = dir.path()});
        AuditEntry told = entry("connection.refused");
        told.repeats = true;
        for (std::uint32_t i = 0; i < AuditRepeats::kStrangerMax + 5; ++i) {
            log->record(told);
        }
    }
    std::vector<std::string> expected(AuditRepeats::kStrangerMax, "connection.refused");
    expected.emplace_back("audit.repeated");
    EXPECT_EQ(events_in(dir.path()), expected);
}

TEST(ConfigRevision, ChangesWithWhateverDecides) {
    PeerList list;
    list.peers = {peer("bob", {"ed25519:00"}, {"a:b"})};
    list.tokens.emplace_back();
    list.tokens[0].id = "alk_1";
    const std::string before = config_revision("text", list);
    EXPECT_EQ(before.size(), 32U);
    EXPECT_EQ(config_revision("text", list), before);
    EXPECT_NE(config_revision("text ", list), before);
    const auto changed = [&](const std::function<void(PeerList&)>& change) {
        PeerList other = list;
        change(other);
        return config_revision("text", other) != before;
    };
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].enabled = false; }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].grants.push_back(grant("c:d")); }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].fingerprints.emplace_back("x"); }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].expires = at(1); }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].roles.emplace_back("x"); }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].resources["x"] = {"y"}; }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers[0].address = "x"; }));
    EXPECT_TRUE(changed([](PeerList& l) { l.peers.clear(); }));
    EXPECT_TRUE(changed([](PeerList& l) { l.tokens[0].expires = at(1); }));
    EXPECT_TRUE(changed([](PeerList& l) { l.tokens[0].hash[0] = std::byte{1}; }));
    // Where it is written down, and in which order, decides nothing.
    EXPECT_FALSE(changed([](PeerList& l) { l.peers[0].origin.line = 99; }));
}

}  // namespace
}  // namespace alknet::identity
