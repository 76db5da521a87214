#include <sys/stat.h>
#include <alknet/base/causes.hpp>
#include <alknet/identity/authorized_keys.hpp>
#include <alknet/testing/temp_dir.hpp>
#include <cstdlib>
#include <ctime>

#include "support.hpp"

namespace alknet::identity {
namespace {

std::string some_key() {
    return NodeKey::generate()->id().openssh();
}

// Why the one line is refused; empty: it is not.
std::string why(const std::string& line) {
    const AuthorizedKeys keys = parse_authorized_keys(line);
    EXPECT_EQ(keys.keys.size() + keys.refused.size(), 1U) << line;
    return keys.refused.empty() ? "" : keys.refused.front().reason;
}

TEST(AuthorizedKeys, AreNamedByTheirComments) {
    const NodeId alice = NodeKey::generate()->id();
    const NodeId bob = NodeKey::generate()->id();
    const AuthorizedKeys keys =
        parse_authorized_keys("# people\n\n" + alice.openssh() + " alice@laptop\r\n" + "  \t" +
                              bob.openssh() + "   bob the builder \n# end");
    EXPECT_TRUE(keys.refused.empty());
    ASSERT_EQ(keys.keys.size(), 2U);
    EXPECT_EQ(keys.keys[0], (AuthorizedKey{.key = alice, .name = "alice-laptop", .line = 3}));
    EXPECT_EQ(keys.keys[1], (AuthorizedKey{.key = bob, .name = "bob-the-builder", .line = 4}));
}

TEST(AuthorizedKeys, WithOptionsThatCannotBeKeptAreRefused) {
    for (const char* option : {"command=\"ls\"",
                               "from=\"10.0.0.0/8\"",
                               "restrict",
                               "RESTRICT",
                               "no-pty",
                               "no-port-forwarding",
                               "permitopen=\"a:1\"",
                               "permitlisten=\"1\"",
                               "cert-authority",
                               "environment=\"A=b\"",
                               "principals=\"a\"",
                               "tunnel=\"1\"",
                               "verify-required",
                               "no-touch-required",
                               "what-is-this",
                               "pty,restrict",
                               "restrict,pty",
                               "pty=\"yes\"",
                               "expiry-time",
                               "expiry-time=20300101",
                               "expiry-time=\"20300101\",command=\"a \\\" b\"",
                               ",",
                               "command=\"not ended",
                               "a\"b c\""}) {
        EXPECT_NE(why(std::string(option) + " " + some_key() + " name"), "") << option;
    }
    // They restrict nothing.
    EXPECT_EQ(
        why("pty,Port-Forwarding,agent-forwarding,user-rc,X11-forwarding " + some_key() + " name"),
        "");
    const std::string refused = why("from=\"*\" " + some_key() + " name");
    EXPECT_NE(refused.find("'from'"), std::string::npos) << refused;
}

TEST(AuthorizedKeys, EndWhenTheySay) {
    const auto expires = [](const std::string& option) {
        const AuthorizedKeys keys = parse_authorized_keys(option + " " + some_key() + " name");
        return keys.keys.empty() ? std::nullopt : keys.keys.front().expires;
    };
    EXPECT_EQ(expires("expiry-time=\"20400101Z\""), at(2'208'988'800));
    EXPECT_EQ(expires("expiry-time=\"204001010102Z\""), at(2'208'988'800 + 62 * 60));
    EXPECT_EQ(expires("expiry-time=\"20400101010203Z\""), at(2'208'988'800 + 62 * 60 + 3));
    EXPECT_EQ(expires("expiry-time=\"20500101Z\",expiry-time=\"20400101Z\""), at(2'208'988'800));
    std::tm local{};
    local.tm_year = 140;
    local.tm_mday = 1;
    local.tm_isdst = -1;
    EXPECT_EQ(expires("expiry-time=\"20400101\""), at(std::mktime(&local)));
    for (const char* wrong :
         {"", "Z", "2040", "20401301", "20400230", "2040010124", "204001012400", "204001010060",
          "20400101000060", "19690101", "99990101", "2040010x", "2040-1-1", "204001010102030"}) {
        EXPECT_NE(why("expiry-time=\"" + std::string(wrong) + "\" " + some_key() + " name"), "")
            << wrong;
    }
}

TEST(AuthorizedKeys, OfOtherKindsAreRefused) {
    const std::string digits = some_key().substr(12);
    for (const std::string& key :
         {"ssh-rsa " + digits, "sk-ssh-ed25519@openssh.com " + digits,
          "ssh-ed25519-cert-v01@openssh.com " + digits, "ecdsa-sha2-nistp256 " + digits,
          "SSH-ED25519 " + digits, std::string("ssh-ed25519"), std::string("ssh-ed25519 AAAA"),
          "ssh-ed25519 " + digits + "x", digits, std::string("\xff\xfe\0x", 4)}) {
        EXPECT_NE(why(key + " name"), "") << key;
    }
    EXPECT_NE(why("sk-ssh-ed25519@openssh.com " + digits + " n").find("token"), std::string::npos);
}

TEST(AuthorizedKeys, NeedACommentThatIsAName) {
    for (const char* comment : {"", " ", " -x", " \xd0\xb0lice", " a\tb", " a/b"}) {
        EXPECT_NE(why(some_key() + comment), "") << comment;
    }
    EXPECT_EQ(why(some_key() + " " + std::string(64, 'a')), "");
    EXPECT_NE(why(some_key() + " " + std::string(65, 'a')), "");
}

// Whoever may have the file named, and may see what is refused, could have any file named.
TEST(AuthorizedKeys, TellNothingOfWhatAnotherFileHas) {
    constexpr std::string_view kSecret = "hunter2";
    for (const char* line :
         {"hunter2", "hunter2 hunter2 hunter2", "password=hunter2", "hunter2=\"hunter2\" ",
          "command=\"hunter2\" ssh-ed25519 hunter2 hunter2", "ssh-rsa hunter2 hunter2",
          "ssh-ed25519 hunter2 hunter2", "root:$6$hunter2:19000:0:99999:7:::", "# no\nhunter2:x",
          "expiry-time=\"hunter2\" ssh-ed25519 AAAA", "\"hunter2"}) {
        const AuthorizedKeys keys = parse_authorized_keys(std::string(line) + "\n");
        EXPECT_TRUE(keys.keys.empty()) << line;
        ASSERT_EQ(keys.refused.size(), 1U) << line;
        EXPECT_EQ(keys.refused[0].reason.find(kSecret), std::string::npos)
            << keys.refused[0].reason;
    }
}

// sshd goes by the first line of a key: a later one must not free it of what the first says.
TEST(AuthorizedKeys, GoByTheFirstLine) {
    const std::string key = some_key();
    const AuthorizedKeys keys =
        parse_authorized_keys("restrict " + key + " a\n" + key + " b\n" + some_key() + " c\n");
    ASSERT_EQ(keys.keys.size(), 1U);
    EXPECT_EQ(keys.keys[0].name, "c");
    ASSERT_EQ(keys.refused.size(), 2U);
    EXPECT_EQ(keys.refused[1].line, 2U);
    const std::string too_long = "command=\"" + std::string(kAuthorizedLineBytesMax, 'x') + "\" ";
    const AuthorizedKeys after = parse_authorized_keys(too_long + key + " a\n" + key + " b\n");
    EXPECT_TRUE(after.keys.empty());
    EXPECT_EQ(after.refused.size(), 2U);
}

TEST(AuthorizedKeys, HaveLimits) {
    EXPECT_NE(why(some_key() + " " + std::string(kAuthorizedLineBytesMax, 'x')), "");
    EXPECT_EQ(parse_authorized_keys(std::string(kAuthorizedFileBytesMax + 1, '\n')).refused.size(),
              1U);
    EXPECT_TRUE(parse_authorized_keys(std::string(kAuthorizedFileBytesMax, '\n')).refused.empty());
    std::string many;
    for (std::size_t i = 0; i <= kAuthorizedKeysMax; ++i) {
        many += some_key() + " k\n";
    }
    EXPECT_EQ(many.size() > kAuthorizedFileBytesMax, false);
    const AuthorizedKeys keys = parse_authorized_keys(many);
    EXPECT_EQ(keys.keys.size(), kAuthorizedKeysMax);
    ASSERT_EQ(keys.refused.size(), 1U);
    EXPECT_EQ(keys.refused[0].line, kAuthorizedKeysMax + 1);
}

TEST(AuthorizedKeys, BecomePeersBesideTheOthers) {
    const NodeId mine = NodeKey::generate()->id();
    const NodeId digest = NodeKey::generate()->id();
    const NodeId fresh = NodeKey::generate()->id();
    PeerList list;
    list.peers = {peer("bob", {mine.fingerprint()}), peer("carol", {digest.openssh_fingerprint()})};
    const AuthorizedKeys keys = parse_authorized_keys(
        mine.openssh() + " other\n" + digest.openssh() + " another\n" + some_key() + " B0b\n" +
        "expiry-time=\"20400101Z\" " + fresh.openssh() + " alice\n" + some_key() + " a1ice\n" +
        "restrict " + some_key() + " eve\n");
    const auto refused =
        add_authorized(list, keys, {.file = "keys", .grants = {grant("git:read", 7)}});
    ASSERT_EQ(refused.size(), 5U);
    EXPECT_EQ(refused[0], (RefusedLine{1, "the key belongs to peer 'bob'"}));
    EXPECT_EQ(refused[1], (RefusedLine{2, "the key belongs to peer 'carol'"}));
    EXPECT_EQ(refused[2].line, 3U);
    EXPECT_EQ(refused[3].line, 5U);
    EXPECT_EQ(refused[4].line, 6U);
    const auto peers = directory(list);
    ASSERT_EQ(peers->peers().size(), 3U);
    const PeerRecord* alice = peers->find_fingerprint(fresh.fingerprint());
    ASSERT_NE(alice, nullptr);
    EXPECT_EQ(alice->id, "ssh:alice");
    EXPECT_EQ(alice->origin.text(), "keys:4");
    EXPECT_EQ(alice->grants, std::vector{grant("git:read", 7)});
    // With its term it ends, as in sshd: nothing is left to renew.
    const WallTime end = at(2'208'988'800);
    EXPECT_EQ(identity_of(*alice, end - std::chrono::seconds(1))->scopes,
              std::vector<std::string>{"git:read"});
    EXPECT_EQ(standing_of(*alice, end), Standing::expired);
    EXPECT_FALSE(identity_of(*alice, end));
}

class AuthorizedFile : public testing::Test {
protected:
    [[nodiscard]] bool refused(const std::filesystem::path& path) const {
        const auto text = read_authorized_keys(path, {home.path()});
        return !text && text.error().is(causes::kHomeInvalid);
    }
    sim::TempDir home;
};

TEST_F(AuthorizedFile, IsReadIfItsOwnerAloneCanChangeIt) {
    const auto file = home.write("keys", "text\n");
    ::chmod(file.c_str(), 0644);
    EXPECT_EQ(read_authorized_keys(file, {home.path()}).value(), "text\n");
    for (const mode_t mode : {0664U, 0646U}) {
        ::chmod(file.c_str(), mode);
        EXPECT_TRUE(refused(file));
    }
    ::chmod(file.c_str(), 0600);
    EXPECT_TRUE(read_authorized_keys(file, {home.path()}));
    ::chmod(home.path().c_str(), 0770);
    EXPECT_TRUE(refused(file));
    ::chmod(home.path().c_str(), 0700);
    EXPECT_TRUE(refused(home.path()));
    const auto missing = read_authorized_keys(home / "none", {home.path()});
    EXPECT_TRUE(!missing && missing.error().is(causes::kConfigMissing));
}

TEST_F(AuthorizedFile, IsCheckedWhereItReallyStands) {
    std::filesystem::create_directory(home / "open");
    const auto file = home.write("open/keys", "text\n");
    ::chmod(file.c_str(), 0600);
    ::chmod((home / "open").c_str(), 0777);
    std::filesystem::create_symlink(file, home / "link");
    EXPECT_TRUE(refused(home / "link"));
    ::chmod((home / "open").c_str(), 0755);
    EXPECT_EQ(read_authorized_keys(home / "link", {home.path()}).value(), "text\n");
    // Without a directory to trust, all up to the root count: everybody can write to this one.
    sim::TempDir shared;
    ::chmod(shared.path().c_str(), 0777);
    std::filesystem::create_directory(shared / "own");
    const auto inside = shared.write("own/keys", "x");
    ::chmod(inside.c_str(), 0600);
    EXPECT_TRUE(refused(inside));
}

TEST_F(AuthorizedFile, OfAnySizeIsReadNoFurtherThanTheLimit) {
    const auto file = home.write("keys", std::string(kAuthorizedFileBytesMax + 1000, '\n'));
    ::chmod(file.c_str(), 0600);
    const auto text = read_authorized_keys(file, {home.path()});
    ASSERT_TRUE(text);
    EXPECT_EQ(text->size(), kAuthorizedFileBytesMax + 1);
}

}  // namespace
}  // namespace alknet::identity
