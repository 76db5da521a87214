#include <alknet/base/causes_exec.hpp>

namespace alknet::causes {

constexpr Cause kProgramDown{
    .id = "E-EXEC-DOWN",
    .condition = errc::unavailable,
    .what = "the program that serves this is not there",
    .next = "try again in a minute; on the node, alknet status shows why it ended",
    .explain =
        "Some services are programs that the node starts ([[exec]] in alknet.toml). This one has "
        "ended, takes no more connections, or is about to be started again: a second after its "
        "first end, later up to a minute. After several ends at once the node gives up. What the "
        "program was doing when it ended is lost; nothing says how far it had come.",
};
constexpr Cause kProgramStart{
    .id = "E-EXEC-START",
    .condition = errc::io,
    .what = "a program could not be started",
    .next = "look at what the detail names, as the user that the program runs as",
    .explain =
        "The node starts the programs of [[exec]] by their path, in their directory and with "
        "their limits, without a shell. The detail names the step that failed and the system's "
        "reason. The user of the program must be able to reach and to run it; a script needs "
        "its interpreter.",
};
constexpr Cause kProgramUser{
    .id = "E-EXEC-USER",
    .condition = errc::invalid,
    .what = "a program cannot run as that user",
    .next = "name a user of its own and run the node as root, or write as_node = true",
    .explain =
        "A program of [[exec]] that runs as the node's own user can read the node's key and "
        "become the node, so it runs as another one: user = \"NAME\". Only root can start "
        "programs as somebody else. as_node = true in its entry says that the program is "
        "trusted with all that the node has; then it runs as the node does.",
};

}  // namespace alknet::causes
