#include "stream_binding.hpp"

#include <alknet/base/causes.hpp>

namespace alknet::ssh {

result<StreamBinding> stream_binding(const Connection& connection, BytesView session_id) {
    const alknet::Transport below = connection.info().transport;
    if (below != alknet::Transport::quic && below != alknet::Transport::iroh) {
        return fail(causes::kNotSupported, "a connection with one stream");
    }
    StreamBinding binding{};
    ALKNET_CHECK(connection.export_keying_material(kStreamsLabel, session_id, binding));
    return binding;
}

}  // namespace alknet::ssh
