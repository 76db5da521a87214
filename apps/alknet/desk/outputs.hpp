// What the operations of the desk give. The commands read their answers into the same structs.
#pragma once

#include <alknet/call/described.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inputs.hpp"

namespace alknet::app {

inline constexpr std::string_view kAboutEnds = "when it ends, in UTC";
inline constexpr std::string_view kAboutDone = "a word for what was done";

struct PeerEntry {
    std::string name;
    std::string id;
    std::string standing;
    std::vector<std::string> keys;
    std::vector<std::string> scopes;
    std::vector<std::string> roles;
    std::optional<std::string> expires{};
    std::optional<std::string> address{};
    std::string origin;
    std::vector<std::string> resources{};
    std::optional<std::string> renew{};
    static constexpr About<11> kAbout = {"by which people know it",
                                         "by which the node knows it, whatever its name",
                                         "valid, expiring, grace, expired or disabled",
                                         "its fingerprints",
                                         "what it may do",
                                         "roles of alknet.toml",
                                         kAboutEnds,
                                         "where it is reached",
                                         "where it is written",
                                         kAboutResources,
                                         "how far it may renew its own term"};
};
struct PeerEntries {
    std::vector<PeerEntry> peers;
    std::vector<std::string> refused;
    static constexpr About<2> kAbout = {"all that are known", "lines of authorized_keys"};
};
struct PeerChanged {
    std::string done;
    PeerEntry peer;
    static constexpr About<2> kAbout = {kAboutDone, "as it is now, or as it was"};
};

struct TermRenewed {
    std::string expires;
    static constexpr About<1> kAbout = {kAboutEnds};
};

struct TokenEntry {
    std::string id;
    std::string owner;
    std::vector<std::string> scopes;
    std::string label;
    std::optional<std::string> expires{};
    static constexpr About<5> kAbout = {"which is no secret", "whose it is",
                                        "of one that is nobody's", "what it is for", kAboutEnds};
};
struct TokenEntries {
    std::vector<TokenEntry> tokens;
};
struct TokenAdded {
    std::string id;
    std::string token;
    static constexpr About<2> kAbout = {"to take it back by", "which nobody can learn again"};
};
struct TokenRemoved {
    std::string removed;
    static constexpr About<1> kAbout = {"the token's id"};
};

struct ImportedOperation {
    std::string name;
    std::string standing;
    std::string digest;
    static constexpr About<3> kAbout = {"as it is called there", "accepted, new, changed or gone",
                                        "of what it is now, 16 hex digits"};
};
struct ImportEntry {
    std::string prefix;
    std::string peer;
    std::vector<ImportedOperation> operations{};
    std::optional<std::string> waiting{};
    static constexpr About<4> kAbout = {
        "of the names here", "whose they are; empty: alknet.toml has it no more",
        "that the peer has offered", "the digest of all that is new or changed, to accept it by"};
};
struct ImportEntries {
    std::vector<ImportEntry> imports;
};
struct ImportChanged {
    std::string done;
    std::string prefix;
    std::uint64_t operations = 0;
    static constexpr About<3> kAbout = {kAboutDone, "of the import", "how many of its operations"};
};

struct InvitationAdded {
    std::string invitation;
    std::string id;
    std::string expires;
    bool confirm = false;
    std::uint32_t uses = 0;
    static constexpr About<5> kAbout = {"the line, which nobody can learn again",
                                        "to take it back by", kAboutEnds,
                                        "somebody must confirm six digits", "for how many"};
};
struct ClaimEntry {
    std::string key;
    std::string name;
    std::string digits;
};
struct InvitationEntry {
    std::string id;
    std::string standing;
    std::vector<std::string> scopes;
    std::optional<std::string> for_{};
    bool confirm = false;
    std::uint32_t uses_left = 0;
    std::string expires;
    std::uint64_t alarms = 0;
    std::vector<ClaimEntry> waiting;
    std::optional<std::string> peer_expires{};
    std::optional<std::string> peer_renew{};
    static constexpr About<11> kAbout = {"to take it back by",
                                         "good, used or ended",
                                         "what whoever joins may do",
                                         "the only key that may use it",
                                         "somebody must confirm six digits",
                                         "how many may still join",
                                         kAboutEnds,
                                         "how often somebody else showed the line",
                                         "who waits to be confirmed",
                                         "when the term of whoever joins ends, in UTC",
                                         "how far whoever joins may renew that"};
};
struct InvitationEntries {
    std::vector<InvitationEntry> invitations;
};
struct InvitationRemoved {
    std::string done;
    static constexpr About<1> kAbout = {kAboutDone};
};
struct InvitationConfirmed {
    std::string done;
    std::string name;
    std::vector<std::string> keys;
    static constexpr About<3> kAbout = {kAboutDone, "of the peer", "of the peer"};
};

struct KeySwitched {
    std::string done;
    std::string from;
    std::string to;
    std::string until;
    static constexpr About<4> kAbout = {kAboutDone, "the fingerprint before",
                                        "the fingerprint from now on",
                                        "when the statement between them ends, in UTC"};
};

struct ConfigProblem {
    std::string file;
    std::uint64_t line = 0;
    std::uint64_t column = 0;
    std::string key;
    std::string reason;
    std::string text;
    static constexpr About<6> kAbout = {"in which", "from 1; 0: the file as a whole",
                                        "from 1",   "of alknet.toml",
                                        "why",      "all of this for people"};
};
struct ConfigChecked {
    std::string file;
    bool valid = false;
    std::vector<ConfigProblem> problems;
    std::vector<std::string> refused;
    static constexpr About<4> kAbout = {"that was checked", "there are no problems",
                                        "what is wrong with it", "lines of authorized_keys"};
};
struct ConfigDifference {
    std::string kind;
    std::string path;
    std::string before;
    std::optional<std::uint64_t> before_line{};
    std::string after;
    std::optional<std::uint64_t> after_line{};
    std::string text;
    static constexpr About<7> kAbout = {
        "added, removed or changed", "of the key",       "what it was",
        "where that stands",         "what it would be", "where that stands",
        "all of this for people"};
};
struct ConfigEffect {
    std::string kind;
    std::string subject;
    std::string text;
    bool cuts = false;
    static constexpr About<4> kAbout = {"what happens", "to whom or what", "for people",
                                        "connections that it no longer allows end"};
};
struct ConfigDiff {
    std::vector<ConfigDifference> differences;
    std::vector<ConfigEffect> effects;
    std::optional<std::string> warning{};
    static constexpr About<3> kAbout = {"what would change", "what follows from it",
                                        "why only force would apply it"};
};
struct ConfigApplied {
    std::vector<ConfigDifference> differences;
    std::vector<ConfigEffect> effects;
    std::optional<std::string> warning{};
    bool unchanged = false;
    bool applied = false;
    std::optional<std::string> confirm_within{};
    static constexpr About<6> kAbout = {
        "what changes",
        "what follows from it",
        "why only force applies it",
        "alknet.toml says this already",
        "it is in force",
        "a duration, after which it is undone unless it is confirmed"};
};
struct ConfigPendingDone {
    std::string done;
    static constexpr About<1> kAbout = {kAboutDone};
};

}  // namespace alknet::app
