#include "channel_stream.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>

#include "messages.hpp"

namespace alknet::ssh {

namespace {

enum class HeaderKind : std::uint8_t { none = 0, stream = 1 };

std::unexpected<error> malformed() {
    return fail(causes::kProtocol, "a malformed header of a channel's stream");
}

}  // namespace

Bytes encode_binding(const StreamBinding& binding) {
    WireWriter out;
    put_string(out, binding);
    return out.take();
}

result<StreamBinding> parse_binding(BytesView body) {
    WireReader in(body);
    const BytesView octets = take_string(in);
    StreamBinding binding{};
    if (!in.complete() || octets.size() != binding.size()) {
        return fail(causes::kProtocol, "a malformed global request");
    }
    std::ranges::copy(octets, binding.begin());
    return binding;
}

Bytes encode_stream_header(StreamToken token) {
    WireWriter out;
    out.number(static_cast<std::uint8_t>(token ? HeaderKind::stream : HeaderKind::none));
    out.number<std::uint64_t>(token.value_or(0));
    return out.take();
}

result<StreamHeader> parse_stream_header(BytesView body) {
    if (body.size() < kStreamHeaderBytes) {
        return malformed();
    }
    WireReader in(body.last(kStreamHeaderBytes));
    const auto kind = in.number<std::uint8_t>();
    const auto token = in.number<std::uint64_t>();
    StreamHeader header{.rest = body.first(body.size() - kStreamHeaderBytes)};
    if (kind == static_cast<std::uint8_t>(HeaderKind::stream)) {
        header.token = token;
    } else if (kind != static_cast<std::uint8_t>(HeaderKind::none) || token != 0) {
        return malformed();
    }
    return header;
}

result<std::optional<StreamBegin>> parse_stream_begin(BytesView begin) {
    if (begin.empty()) {
        return std::nullopt;
    }
    if (begin.front() == static_cast<std::byte>('S')) {
        return StreamBegin{};
    }
    if (begin.front() != static_cast<std::byte>(HeaderKind::stream)) {
        return malformed();
    }
    if (begin.size() < kStreamHeaderBytes) {
        return std::nullopt;
    }
    WireReader in(begin.subspan(1));
    return StreamBegin{.token = in.number<std::uint64_t>()};
}

}  // namespace alknet::ssh
