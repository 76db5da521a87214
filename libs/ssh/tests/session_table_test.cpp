#include <gmock/gmock.h>
#include <alknet/ssh/session_table.hpp>
#include <string>

namespace alknet::ssh {
namespace {

using testing::ElementsAre;
using Kind = SessionEntry::Kind;

SessionEntry entry(Kind kind, std::uint64_t session = 0) {
    return {.session = session,
            .kind = kind,
            .peer = "bob",
            .place = "there",
            .fingerprint = {},
            .began = {}};
}

TEST(SshSessionTable, HasWhatIsThere) {
    const auto table = std::make_shared<SessionTable>();
    int closed = 0;
    auto session = table->add(entry(Kind::session), [&] { ++closed; });
    auto forward = table->add(entry(Kind::connect, session->id()), [&] { closed += 10; });
    const auto all = table->all();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].session, all[0].id);
    EXPECT_EQ(all[1].session, all[0].id);
    EXPECT_TRUE(table->close(forward->id()));
    EXPECT_EQ(closed, 10);
    EXPECT_EQ(table->all().size(), 2U) << "until it has ended";
    const std::uint64_t id = forward->id();
    forward.reset();
    EXPECT_FALSE(table->close(id));
    EXPECT_TRUE(table->close(session->id()));
    EXPECT_EQ(closed, 11);
    session.reset();
    EXPECT_TRUE(table->all().empty());
}

TEST(SshSessionTable, TellsOfWhatComesAndGoes) {
    const auto table = std::make_shared<SessionTable>();
    std::vector<std::string> told;
    const auto before = table->add(entry(Kind::session), [] {});
    table->watch([&](const SessionEntry& one, bool began) {
        EXPECT_EQ(table->all().size(), began ? 2U : 1U) << "it may look";
        told.push_back(std::string(to_string(one.kind)) + (began ? " began" : " ended"));
    });
    for (const Kind kind :
         {Kind::session, Kind::connect, Kind::listen, Kind::arrival, Kind::program}) {
        (void)table->add(entry(kind), [] {});
    }
    EXPECT_THAT(told, ElementsAre("session began", "session ended", "connect began",
                                  "connect ended", "listen began", "listen ended", "arrival began",
                                  "arrival ended", "program began", "program ended"));
    table->watch({});
    (void)table->add(entry(Kind::session), [] {});
    EXPECT_EQ(told.size(), 10U);
}

}  // namespace
}  // namespace alknet::ssh
