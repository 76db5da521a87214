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

}  // namespace alknet::causes
