// What it would mean for a running node to go from one configuration to another: who is cut, what
// opens and closes. A pure function; it knows nothing of the connections that there are.
#pragma once

#include <alknet/config/config.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::config {

struct Effect {
    enum class Kind : std::uint8_t {
        peer_removed,
        peer_narrowed,  // disabled, or has fewer scopes or keys
        peer_added,
        peer_widened,
        alpn_narrowed,  // a service asks for more, or is reached by less
        alpn_widened,
        forwarding_narrowed,  // a rule that allows is gone, or one that denies is new
        forwarding_widened,
        forwarding_reordered,
        listener_closed,
        listener_opened,
        listener_changed,
        import_ended,  // also one that begins anew
        import_begun,
        restart_needed,
    };
    Kind kind = Kind::restart_needed;
    std::string subject;  // the peer, the ALPN, the listener
    std::string text;     // what happens to it, as a sentence without its subject
    /// Whether connections that there may be are closed.
    [[nodiscard]] bool cuts() const noexcept;

    bool operator==(const Effect&) const = default;
};
[[nodiscard]] std::string_view to_string(Effect::Kind kind) noexcept;

/// One configuration, with everybody whom the node knows under it.
struct Side {
    const Config& config;
    const identity::PeerDirectory& peers;
};

/// What cuts comes first. Peers are told apart by their ids, listeners by their addresses.
[[nodiscard]] std::vector<Effect> plan(const Side& before, const Side& after);

}  // namespace alknet::config
