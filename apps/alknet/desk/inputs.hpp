// What the operations of the desk take. Their names on the wire, their schemas and the commands
// that call them all come from these structs.
#pragma once

#include <alknet/call/described.hpp>
#include <alknet/config/config.hpp>
#include <alknet/identity/peers.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace alknet::app {

using Word = call::Text<4096>;
using Words = call::List<Word, identity::kGrantsPerPeerMax>;
template <std::size_t Members>
using About = std::array<std::string_view, Members>;

[[nodiscard]] inline std::string or_empty(const std::optional<Word>& word) {
    return word ? word->value : std::string();
}
[[nodiscard]] inline std::vector<std::string> texts_of(const Words& words) {
    return {words.value.begin(), words.value.end()};
}
/// Empty: nothing was given.
[[nodiscard]] inline std::optional<Word> given(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<Word>(Word{.value = text});
}
[[nodiscard]] inline Words words_of(const std::vector<std::string>& texts) {
    Words words;
    for (const std::string& text : texts) {
        words.value.push_back({.value = text});
    }
    return words;
}

struct Nothing {};

inline constexpr std::string_view kAboutForce = "also where the last admin would go";
inline constexpr std::string_view kAboutResources =
    "SERVICE:RESOURCE, which @ in its scopes stands for";
inline constexpr std::string_view kAboutExpires = "a duration from now, or a day in UTC";

inline constexpr std::string_view kAboutRenew =
    "how far from then it may renew that itself: a duration, or never";

/// peers/remove, disable, enable
struct PeerInput {
    Word name;
    bool force = false;
    static constexpr About<2> kAbout = {"of the peer", kAboutForce};
};
struct PeerAddInput {
    Word name;
    bool force = false;
    Words keys{};
    Words scopes{};
    Words roles{};
    std::optional<Word> expires{};
    std::optional<Word> address{};
    Words resources{};
    std::optional<Word> renew{};
    static constexpr About<9> kAbout = {"of the peer",
                                        kAboutForce,
                                        "node ids and fingerprints",
                                        "what it may do",
                                        "roles of alknet.toml",
                                        kAboutExpires,
                                        "where it is reached",
                                        kAboutResources,
                                        kAboutRenew};
};
struct PeerRenewInput {
    Word name;
    bool force = false;
    std::optional<Word> expires{};
    std::optional<Word> renew{};
    static constexpr About<4> kAbout = {"of the peer", kAboutForce, kAboutExpires, kAboutRenew};
};
struct PeerRenameInput {
    Word name;
    bool force = false;
    Word new_name{};
    static constexpr About<3> kAbout = {"of the peer", kAboutForce, "from now on"};
};
struct PeerScopesInput {
    Word name;
    bool force = false;
    Words set{};
    Words add{};
    Words remove{};
    bool none = false;
    Words resources{};
    Words add_roles{};
    Words remove_roles{};
    static constexpr About<9> kAbout = {"of the peer",
                                        kAboutForce,
                                        "in place of all that it has",
                                        "scopes to give",
                                        "scopes to take away",
                                        "take away all that it has of its own",
                                        "resources in place of those that it has",
                                        "roles of alknet.toml to give",
                                        "roles to take away"};
};

struct TokenAddInput {
    std::optional<Word> peer{};
    Words scopes{};
    std::optional<Word> expires{};
    std::optional<Word> label{};
    static constexpr About<4> kAbout = {"whose it is: a peer's name", "of one that is nobody's",
                                        "a duration from now, or a day in UTC", "what it is for"};
};
struct TokenInput {
    Word id;
    static constexpr About<1> kAbout = {"of the token"};
};

struct ImportAcceptInput {
    Word prefix;
    Word digest;
    static constexpr About<2> kAbout = {"of the names of its operations here",
                                        "waiting, as imports/list has it"};
};
/// imports/remove
struct ImportInput {
    Word prefix;
    static constexpr About<1> kAbout = {"of the names of its operations here"};
};

struct InvitationAddInput {
    Words scopes{};
    std::optional<Word> ttl{};
    std::optional<std::uint32_t> uses{};
    std::optional<Word> for_{};
    bool confirm = false;
    std::optional<Word> name{};
    std::optional<Word> as{};
    Words addresses{};
    std::optional<Word> expires{};
    std::optional<Word> renew{};
    static constexpr About<10> kAbout = {
        "what whoever joins may do",
        "a duration; else 10m",
        "for how many; else one",
        "the only key that may use it",
        "somebody must confirm six digits",
        "of whoever joins",
        "what this node is called there",
        "where this node is reached",
        "when the term of whoever joins ends: a duration from now, or a day in UTC",
        kAboutRenew};
};
struct InvitationInput {
    Word id;
    static constexpr About<1> kAbout = {"of the invitation"};
};
struct InvitationConfirmInput {
    Word digits;
    static constexpr About<1> kAbout = {"that both sides see"};
};

using ConfigText = call::Text<config::kFileBytesMax>;

struct ConfigCheckInput {
    std::optional<ConfigText> text{};
    std::optional<Word> file{};
    std::optional<Word> base{};
    static constexpr About<3> kAbout = {"instead of alknet.toml", "what it is called in the answer",
                                        "the directory of paths in it that are relative"};
};
struct ConfigDiffInput {
    ConfigText text;
    std::optional<Word> file{};
    static constexpr About<2> kAbout = {"in place of alknet.toml",
                                        "what it is called in the answer"};
};
struct ConfigApplyInput {
    ConfigText text;
    std::optional<Word> file{};
    bool dry_run = false;
    bool force = false;
    std::optional<Word> confirm{};
    static constexpr About<5> kAbout = {
        "in place of alknet.toml", "what it is called in the answer", "change nothing", kAboutForce,
        "undo it after this duration, unless it is confirmed"};
};

}  // namespace alknet::app
