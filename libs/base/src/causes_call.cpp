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

}  // namespace alknet::causes
