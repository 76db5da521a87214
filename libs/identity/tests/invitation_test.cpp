// The line and the frames: what is written is read again, and nothing that was cut or changed is.
#include <alknet/base/causes.hpp>
#include <alknet/base/causes_invitation.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/identity/invitation.hpp>
#include <alknet/identity/join_frames.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/testing/random.hpp>
#include <array>

#include "support.hpp"

namespace alknet::identity {
namespace {

// docs/protocol/invitation.md has these.
constexpr std::string_view kVectorLine =
    "alkjoin1ae5wuj54z23killcuounaktpbvzwkmqvo4o6eq5ghlaerimllhncsaabaibqibiga4eascql"
    "bqgq4dyaaaaaa22j2iaakylmnfrwkaqrnzxwizjomv4gc3lqnrstunbugmzrcwzsgaydcotemi4duorr"
    "lu5dinbtggk4nty";
constexpr std::string_view kVectorHash =
    "a7df634a02dbcfe07c2960a43b89a777f27b7114c8763f1e75bc3011d9c3c8d0";
constexpr std::string_view kVectorCode = "875316";

Invitation example() {
    Bytes seed(32);
    Invitation invitation;
    invitation.node = (*NodeKey::from_seed(seed))->id();
    for (std::size_t i = 0; i < invitation.secret.size(); ++i) {
        invitation.secret[i] = static_cast<std::byte>(i);
    }
    invitation.expires = 1'800'000'000;
    invitation.confirm = true;
    invitation.name = "alice";
    invitation.addresses = {"node.example:4433", "[2001:db8::1]:443"};
    return invitation;
}

std::string why(std::string_view text) {
    const auto parsed = parse_invitation(text);
    if (parsed) {
        return "it is good";
    }
    EXPECT_TRUE(parsed.error().is(causes::kInvitationInvalid));
    return parsed.error().detail();
}

TEST(Invitation, HasTheTextOfItsVector) {
    const Invitation invitation = example();
    EXPECT_EQ(encode_invitation(invitation), kVectorLine);
    EXPECT_EQ(parse_invitation(kVectorLine).value(), invitation);
    EXPECT_EQ(hex_encode(invitation_hash(invitation.secret)), kVectorHash);
    Bytes other(32);
    other[0] = std::byte{1};
    const NodeId joiner = (*NodeKey::from_seed(other))->id();
    const Bytes exported(kJoinExporterBytes, std::byte{7});
    EXPECT_EQ(join_code(invitation.node, joiner, exported), kVectorCode);
}

TEST(Invitation, IsReadInUpperCaseAndWithWhiteSpaceAround) {
    std::string upper = encode_invitation(example());
    for (char& c : upper) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    EXPECT_EQ(parse_invitation(" \t" + upper + "\r\n").value(), example());
}

TEST(Invitation, ThatWasCutIsNoticed) {
    const std::string whole = encode_invitation(example());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_NE(why(whole.substr(0, size)), "it is good") << size;
        EXPECT_NE(why(whole.substr(whole.size() - size)), "it is good") << size;
    }
    EXPECT_EQ(why(whole.substr(0, whole.size() - 3)),
              "a part of it is missing, or a character is wrong");
}

TEST(Invitation, WithAWrongCharacterIsNoticed) {
    const std::string whole = encode_invitation(example());
    for (std::size_t i = 0; i < whole.size(); ++i) {
        for (const char c : {'a', 'z', '2', '!', '\xff', '\0'}) {
            std::string changed = whole;
            changed[i] = c;
            if (changed != whole) {
                EXPECT_NE(why(changed), "it is good") << i;
            }
        }
    }
}

TEST(Invitation, SaysWhatIsWrongWithOtherText) {
    EXPECT_EQ(why(""), "nothing was given");
    EXPECT_EQ(why(" \n"), "nothing was given");
    EXPECT_EQ(why("hello"), "it does not begin with alkjoin1");
    EXPECT_EQ(why("\xff\xfe\x00"), "it does not begin with alkjoin1");
    EXPECT_EQ(why("alkjoin2abc"), "it was made by another version of alknet");
    EXPECT_EQ(why("alkjoin1\xc3\xa9"), "it has a character that no invitation has");
    EXPECT_EQ(why("alkjoin1"), "a part of it is missing, or a character is wrong");
    EXPECT_EQ(why("alkjoin1" + std::string(kInvitationTextMax, 'a')), "it is too long");
}

TEST(Invitation, WithFieldsThatNobodyWritesIsRefused) {
    const auto refused = [](auto change) {
        Invitation invitation = example();
        change(invitation);
        return why(encode_invitation(invitation)) == "what it says cannot be right";
    };
    EXPECT_TRUE(refused([](Invitation& one) { one.name = "a b"; }));
    EXPECT_TRUE(refused([](Invitation& one) { one.name.clear(); }));
    EXPECT_TRUE(refused([](Invitation& one) { one.expires = -1; }));
    EXPECT_TRUE(refused([](Invitation& one) { one.addresses.clear(); }));
    EXPECT_TRUE(refused([](Invitation& one) { one.addresses = {"node.example"}; }));
    EXPECT_TRUE(refused([](Invitation& one) { one.addresses = {"NODE:x"}; }));
    EXPECT_TRUE(refused([](Invitation& one) { one.node = NodeId(); }));
    EXPECT_TRUE(refused([](Invitation& one) {
        one.addresses = std::vector<std::string>(kInvitationAddressesMax + 1, "a.example:1");
    }));
}

TEST(Invitation, OfTheLargestSizeFits) {
    Invitation invitation = example();
    invitation.name = std::string(kNameBytesMax, 'n');
    const std::string label(63, 'h');
    const std::string host = label + "." + label + "." + label + "." + std::string(57, 'h');
    invitation.addresses = std::vector<std::string>(kInvitationAddressesMax, host + ":44");
    ASSERT_LE(invitation.addresses[0].size(), kInvitationAddressBytesMax);
    const std::string text = encode_invitation(invitation);
    EXPECT_LE(text.size(), kInvitationTextMax);
    EXPECT_EQ(parse_invitation(text).value(), invitation);
}

TEST(NeedsConfirmation, ForTheRuleOverANode) {
    for (const char* text : {"*:*:*",         "*:*",
                             "*:read",        "node:*",
                             "node:status",   "peer:add",
                             "token:*",       "config:reload",
                             "peers:manage",  "peers:read",
                             "tokens:manage", "audit:read",
                             "access:check",  "admin:x",
                             "exec:run",      "vault:read",
                             "ssh:shell",     "ssh:*",
                             "ssh:exec:ls",   "git:*",
                             "git:admin:x",   "anything:shell:here",
                             "imports:use:x", "imports:*",
                             "git:manage",    "call:import"}) {
        EXPECT_TRUE(needs_confirmation(scope(text))) << text;
    }
    for (const char* text :
         {"git:read", "git:read:*", "git:write:site", "sftp:read:home/*", "call:echo", "msg:send",
          "echo:use", "ssh:forward", "nodes:list", "node:diagnose", "node:bench"}) {
        EXPECT_FALSE(needs_confirmation(scope(text))) << text;
    }
}

TEST(JoinCode, DependsOnBothKeysAndTheConnection) {
    const NodeId a = NodeKey::generate()->id();
    const NodeId b = NodeKey::generate()->id();
    const Bytes exported(32, std::byte{1});
    const Bytes other(32, std::byte{2});
    const std::string code = join_code(a, b, exported);
    EXPECT_EQ(code.size(), 6U);
    // One in a million each; the keys are drawn anew, and so all three may be the same once in
    // 10^18.
    EXPECT_FALSE(code == join_code(b, a, exported) && code == join_code(a, b, other) &&
                 code == join_code(a, a, exported));
}

std::vector<JoinMessage> messages() {
    JoinWelcome welcome;
    welcome.name = "bob";
    welcome.scopes = {"git:read:*", "call:echo"};
    JoinWelcome most;
    most.name = std::string(kNameBytesMax, 'b');
    const std::string widest = std::string(kScopeWordBytesMax, 's') + ":" +
                               std::string(kScopeWordBytesMax, 'a') + ":" +
                               std::string(kScopeResourceBytesMax, 'r');
    most.scopes = std::vector<std::string>(kInvitationScopesMax, widest);
    return {JoinAsk{.secret = example().secret, .name = "bob"},
            JoinWait{.seconds = 600},
            welcome,
            most,
            JoinKnown(),
            JoinRefused()};
}

TEST(JoinFrames, AreReadAgainHoweverTheyAreCut) {
    for (const JoinMessage& message : messages()) {
        Bytes frame = encode_join(message);
        EXPECT_LE(frame.size(), kJoinHeaderBytes + kJoinBodyBytesMax);
        for (std::size_t size = 0; size < frame.size(); ++size) {
            const auto part = decode_join(BytesView(frame).first(size));
            EXPECT_TRUE(part && !*part) << size;
        }
        const std::size_t size = frame.size();
        frame.push_back(std::byte{9});
        const auto whole = decode_join(frame);
        ASSERT_TRUE(whole && *whole);
        EXPECT_EQ((*whole)->message, message);
        EXPECT_EQ((*whole)->size, size);
    }
    EXPECT_EQ(hex_encode(encode_join(messages()[0])),
              "010014000102030405060708090a0b0c0d0e0f03626f62");
    EXPECT_EQ(hex_encode(encode_join(messages()[2])),
              "03001c03626f6202000a6769743a726561643a2a000963616c6c3a6563686f");
}

TEST(JoinFrames, ThatNobodySendsAreRefused) {
    const auto refused = [](const std::string& hex) {
        const auto decoded = decode_join(*hex_decode(hex));
        return !decoded && decoded.error().is(causes::kProtocol);
    };
    EXPECT_TRUE(refused("000000"));        // type
    EXPECT_TRUE(refused("060000"));        // type
    EXPECT_TRUE(refused("014001"));        // longer than allowed
    EXPECT_TRUE(refused("040001aa"));      // something behind the body
    EXPECT_TRUE(refused("02000300000a"));  // too short
    EXPECT_TRUE(refused("01001200112233445566778899aabbccddeeff0120"));  // a name of a blank
    EXPECT_TRUE(refused("0300020000"));                                  // no name
    EXPECT_TRUE(refused("0300040161ff00"));                              // too many scopes
    EXPECT_TRUE(
        refused("0300060161010001"
                "61"));  // no scope
}

TEST(JoinFrames, AreReadOrRefusedWhateverComes) {
    sim::Random random(7);
    const std::vector<JoinMessage> all = messages();
    for (std::size_t i = 0; i < 3000; ++i) {
        Bytes frame = encode_join(all[i % all.size()]);
        frame.resize(std::min<std::size_t>(frame.size(), 200));
        Bytes noise(2);
        random.fill(noise);
        frame[std::to_integer<std::size_t>(noise[0]) % frame.size()] = noise[1];
        if (const auto decoded = decode_join(frame); decoded && *decoded) {
            EXPECT_EQ(encode_join((*decoded)->message),
                      to_bytes(BytesView(frame).first((*decoded)->size)));
        }
    }
}

}  // namespace
}  // namespace alknet::identity
