#include <alknet/base/causes_call.hpp>

namespace alknet::causes {

constexpr Cause kNoOperation{
    .id = "E-CALL-NO-OPERATION",
    .condition = errc::not_found,
    .what = "the node has no such operation",
    .next = "see what this identity may call there: alknet call NODE --list",
    .explain =
        "Operations are named SERVICE/NAME. A node says to a known peer whether it has one of that "
        "name, and which scope is missing; one that is for the node itself is like one that is not "
        "there. Whoever is not known is told of what strangers may call, and of nothing else.",
};

constexpr Cause kOperationType{
    .id = "E-CALL-TYPE",
    .condition = errc::invalid,
    .what = "the operation is not called in this way",
    .next = "subscribe to a subscription, and call everything else",
    .explain =
        "A query and a mutation give one answer, a subscription gives items until it ends. alknet "
        "call NODE --list shows which operation is of which kind; --subscribe is for "
        "subscriptions.",
};

constexpr Cause kNoRun{
    .id = "E-CALL-NO-RUN",
    .condition = errc::not_found,
    .what = "the node has no such run of yours",
    .next = "call the operation again",
    .explain =
        "A detached call goes on when its caller leaves, and its end is kept for ten minutes, and "
        "no longer than the node runs. Whoever has many ended runs loses the oldest first. A run "
        "is there for the identity that began it, and for nobody else.",
};

constexpr Cause kImportAway{
    .id = "E-CALL-IMPORT-AWAY",
    .condition = errc::unavailable,
    .what = "the node that this operation is imported from cannot be reached",
    .next = "try again in a minute; alknet call NODE services/list-peers says why",
    .explain =
        "A node can offer operations of another one among its own ([[call.import]] in "
        "alknet.toml). The connection between the two is lost, or was never there, or has ended "
        "while a query or a subscription ran. Nothing was changed there. The node dials again by "
        "itself: after a second at first, later every 30 seconds, and when somebody calls.",
};

constexpr Cause kImportLost{
    .id = "E-CALL-IMPORT-LOST",
    .condition = errc::unavailable,
    .what = "the node that this operation is imported from was lost while it ran",
    .next = "look whether it was done before you call it again",
    .explain =
        "The call changes something at another node ([[call.import]] in alknet.toml), and the "
        "connection to that node ended before its answer came. Whether it was done, in part or "
        "not at all, is known there alone. It was not tried a second time, here or at a further "
        "node, and should not be before somebody has looked.",
};

constexpr Cause kImportRefused{
    .id = "E-CALL-IMPORT-REFUSED",
    .condition = errc::unavailable,
    .what = "the node that this operation is imported from does not let this one call it",
    .next = "whoever runs that node can give this one the scope that the detail names",
    .explain =
        "A node that offers operations of another one calls them with its own key, and may do "
        "there what that key may. Whoever called was allowed to do so here; what is missing is "
        "missing between the two nodes.",
};

}  // namespace alknet::causes
