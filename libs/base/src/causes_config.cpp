#include <alknet/base/causes_config.hpp>

namespace alknet::causes {

constexpr Cause kAssertionFailed{
    .id = "E-CONFIG-ASSERTION",
    .condition = errc::invalid,
    .what = "an assertion of the configuration does not hold",
    .next = "correct the rule that decided, or the assertion",
    .explain =
        "[[access.assert]] in alknet.toml says what a peer must be allowed, or must not. The node "
        "asks each of them before it accepts a configuration, and commands before they change "
        "state.db; where one does not hold, everything stays as it was. The detail has the line "
        "of the assertion, what was decided and by which rule, as alknet access check says it. "
        "Whether a term has ended makes no difference: assertions are about what is written down.",
};
constexpr Cause kConfigBusy{
    .id = "E-CONFIG-BUSY",
    .condition = errc::timeout,
    .what = "another program changes the configuration",
    .next = "wait until it has ended, and try again",
    .explain =
        "config apply and config confirm change alknet.toml one at a time, and hold config.lock "
        "in the home while they do. Nothing was changed.",
};
constexpr Cause kConfigChanged{
    .id = "E-CONFIG-CHANGED",
    .condition = errc::exists,
    .what = "the configuration is not what the change was made for",
    .next = "look at what it says now, and try again: alknet config diff FILE",
    .explain =
        "alknet.toml was edited between the moment at which a change was checked against it and "
        "the one at which it would have been written, or it is a link to a file elsewhere, which "
        "is then the one to be changed. Nothing was changed.",
};
constexpr Cause kConfigPending{
    .id = "E-CONFIG-PENDING",
    .condition = errc::exists,
    .what = "another change waits to be confirmed",
    .next = "keep it: alknet config confirm; or undo it: alknet config undo",
    .explain =
        "A configuration that was applied with --confirm is undone unless somebody confirms it in "
        "time. Until then no other is applied, so that it is clear what undoing leads back to.",
};
constexpr Cause kConfigNotPending{
    .id = "E-CONFIG-NOT-PENDING",
    .condition = errc::not_found,
    .what = "no change waits to be confirmed",
    .next = "look at what the configuration says now: alknet config show",
    .explain =
        "Nothing was applied with --confirm, or it was confirmed, or its time is over and the "
        "configuration is what it was before.",
};
constexpr Cause kFileMissing{
    .id = "E-FILE-MISSING",
    .condition = errc::not_found,
    .what = "there is no such file",
    .next = "check the path; a commented file to begin with: alknet init --home DIR",
    .explain =
        "A command was told to read a file that is not there. Nothing was changed. Without a file, "
        "alknet config check looks at alknet.toml in the home.",
};
constexpr Cause kLastAdmin{
    .id = "E-ACCESS-LAST-ADMIN",
    .condition = errc::forbidden,
    .what = "this would leave nobody to rule the node",
    .next = "give somebody else node:admin first, or say --force",
    .explain =
        "Whoever has the scope node:admin is an admin of the node. Commands refuse to take it from "
        "the last one, and to make alknet/call ask for a scope that no admin has, and those of "
        "somebody who is connected from elsewhere to give the last ones terms that end within two "
        "weeks, since that is more often a slip than a wish. The owner of the machine, who can "
        "edit alknet.toml, may do it, and is warned in the "
        "log.",
};
constexpr Cause kOwnAccess{
    .id = "E-ACCESS-OWN",
    .condition = errc::forbidden,
    .what = "this would take access from whoever asks for it",
    .next = "have another admin do it, do it at the machine itself, or insist: force=true",
    .explain =
        "Somebody who is connected from elsewhere does not take from itself what it may do: not by "
        "removing or disabling itself, nor by giving up a scope, by an earlier end of its own "
        "term, by other keys of its own, or by a rule that keeps it away from alknet/call. It "
        "might not be able to take that back. With --force (\"force\": true) it does; the "
        "connection that it asks by ends then, and may do so before the answer.",
};
constexpr Cause kRenewEarly{
    .id = "E-RENEW-EARLY",
    .condition = errc::exists,
    .what = "this term has not come near its end yet",
    .next = "renew it within its last two weeks, or the week after its end",
    .explain =
        "A peer whose entry lets it renew its own term does so in the last two weeks of the term "
        "(or, where it may renew it by less than four weeks, in the last half of that), or in the "
        "week of grace behind it. The term then ends so far from that moment as the entry says.",
};

}  // namespace alknet::causes
