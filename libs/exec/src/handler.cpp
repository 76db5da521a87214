#include "handler.hpp"

#include <alknet/net/proxy_protocol.hpp>
#include <string_view>

#include "relay.hpp"

namespace alknet::exec {

namespace {

// The first two are the protocol's own, the others of the range that it leaves to applications.
enum class Tlv : std::uint8_t {
    alpn = 0x01,
    unique_id = 0x05,
    peer = 0xe0,
    fingerprint = 0xe1,
    scopes = 0xe2,
    transport = 0xe3,
};

void add(net::ProxyHeader& header, Tlv type, std::string_view value) {
    if (!value.empty()) {
        header.tlvs.push_back(
            {.type = static_cast<std::uint8_t>(type), .value = to_bytes(as_bytes(value))});
    }
}

}  // namespace

result<Bytes> describe_peer(const StreamContext& context, std::uint64_t stream) {
    const ConnectionInfo& info = context.connection->info();
    net::ProxyHeader header;
    header.source = context.connection->remote();
    header.destination = info.local;
    add(header, Tlv::alpn, info.alpn);
    add(header, Tlv::unique_id, info.trace_id + "-" + std::to_string(stream));
    if (context.auth.identity) {
        add(header, Tlv::peer, context.auth.identity->id);
        std::string scopes;
        for (const std::string& scope : context.auth.identity->scopes) {
            scopes.append(scopes.empty() ? "" : " ").append(scope);
        }
        add(header, Tlv::scopes, scopes);
    }
    add(header, Tlv::fingerprint, info.peer.fingerprint());
    add(header, Tlv::transport, to_string(info.transport));
    return net::encode_proxy_header(header);
}

task<result<void>> ProgramHandler::handle_stream(BiStream& stream, const StreamContext& context) {
    ALKNET_CO_TRY(Door::Visit visit, door_->enter(loop_));
    if (options_.proxy_header) {
        ALKNET_CO_TRY(const Bytes header, describe_peer(context, stream.id()));
        // One that takes nothing sees the end of the connection, as the peer does.
        ALKNET_CO_CHECK(co_await visit.stream().write(header));
    }
    co_return co_await relay(stream, visit.stream());
}

}  // namespace alknet::exec
