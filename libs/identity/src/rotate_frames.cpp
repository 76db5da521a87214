#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/identity/rotate_frames.hpp>

namespace alknet::identity {

namespace {

using Type = RotateMessage::Type;

std::unexpected<error> broken(std::string_view why) {
    return fail(causes::kProtocol, "alknet/rotate: " + std::string(why));
}

bool allowed(Type type, std::size_t count) {
    switch (type) {
        case Type::ask:
        case Type::heard:
            return count == 0;
        case Type::answer:
            return count <= kRotationChainMax;
        case Type::tell:
            return count > 0 && count <= kRotationChainMax;
    }
    return false;
}

}  // namespace

Bytes encode_rotate(const RotateMessage& message) {
    WireWriter out;
    out.number(static_cast<std::uint8_t>(message.type));
    out.number(static_cast<std::uint8_t>(message.chain.size()));
    for (const Rotation& one : message.chain) {
        out.append(rotation_octets(one));
    }
    return out.take();
}

result<std::optional<RotateMessage>> decode_rotate(BytesView bytes) {
    if (bytes.size() < kRotateHeaderBytes) {
        return std::nullopt;
    }
    WireReader in(bytes);
    RotateMessage message;
    message.type = static_cast<Type>(in.number<std::uint8_t>());
    const std::size_t count = in.number<std::uint8_t>();
    if (!allowed(message.type, count)) {
        return broken("no such message");
    }
    const std::size_t size = kRotateHeaderBytes + count * kRotationOctets;
    if (bytes.size() > size) {
        return broken("more than one message");
    }
    if (bytes.size() < size) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const auto one = rotation_of(in.take(kRotationOctets));
        if (!one) {
            return broken(one.error().detail());
        }
        if (!message.chain.empty() && message.chain.back().to != one->from) {
            return broken("the statements do not follow one another");
        }
        message.chain.push_back(*one);
    }
    return message;
}

}  // namespace alknet::identity
