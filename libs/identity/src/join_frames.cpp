#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/wire.hpp>
#include <alknet/identity/join_frames.hpp>
#include <alknet/identity/names.hpp>

namespace alknet::identity {

namespace {

// The types are the places in the variant, from 1.
enum class Type : std::uint8_t { ask = 1, wait, welcome, known, refused };

struct BodyWriter {
    WireWriter& out;
    void operator()(const JoinAsk& ask) const {
        out.append(ask.secret);
        out.text<std::uint8_t>(ask.name);
    }
    void operator()(const JoinWait& wait) const { out.number(wait.seconds); }
    void operator()(const JoinWelcome& welcome) const {
        out.text<std::uint8_t>(welcome.name);
        out.number(static_cast<std::uint8_t>(welcome.scopes.size()));
        for (const std::string& scope : welcome.scopes) {
            out.text<std::uint16_t>(scope);
        }
    }
    void operator()(const JoinKnown& /*known*/) const {}
    void operator()(const JoinRefused& /*refused*/) const {}
};

JoinAsk read_ask(WireReader& in) {
    JoinAsk ask;
    std::ranges::copy(in.take(ask.secret.size()), ask.secret.begin());
    ask.name = in.text<std::uint8_t>();
    return ask;
}

std::optional<JoinWelcome> read_welcome(WireReader& in) {
    JoinWelcome welcome;
    welcome.name = in.text<std::uint8_t>();
    const auto scopes = in.number<std::uint8_t>();
    if (scopes > kInvitationScopesMax || !check_name(welcome.name)) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < scopes; ++i) {
        welcome.scopes.push_back(in.text<std::uint16_t>());
        if (!Scope::parse(welcome.scopes.back())) {
            return std::nullopt;
        }
    }
    return welcome;
}

std::optional<JoinMessage> read_body(Type type, BytesView body) {
    WireReader in(body);
    JoinMessage message;
    switch (type) {
        case Type::ask: {
            JoinAsk ask = read_ask(in);
            if (!check_name(ask.name)) {
                return std::nullopt;
            }
            message = std::move(ask);
            break;
        }
        case Type::wait:
            message = JoinWait{.seconds = in.number<std::uint32_t>()};
            break;
        case Type::welcome: {
            auto welcome = read_welcome(in);
            if (!welcome) {
                return std::nullopt;
            }
            message = *std::move(welcome);
            break;
        }
        case Type::known:
            message = JoinKnown();
            break;
        case Type::refused:
            message = JoinRefused();
            break;
        default:
            return std::nullopt;
    }
    return in.complete() ? std::optional(std::move(message)) : std::nullopt;
}

}  // namespace

Bytes encode_join(const JoinMessage& message) {
    WireWriter body;
    std::visit(BodyWriter{body}, message);
    WireWriter out;
    out.number(static_cast<std::uint8_t>(message.index() + 1));
    out.number(static_cast<std::uint16_t>(body.view().size()));
    out.append(body.view());
    return out.take();
}

result<std::optional<JoinFrame>> decode_join(BytesView bytes) {
    if (bytes.size() < kJoinHeaderBytes) {
        return std::nullopt;
    }
    WireReader in(bytes);
    const auto type = static_cast<Type>(in.number<std::uint8_t>());
    const std::size_t size = in.number<std::uint16_t>();
    if (size > kJoinBodyBytesMax || type < Type::ask || type > Type::refused) {
        return fail(causes::kProtocol, "a malformed frame of alknet/join");
    }
    if (bytes.size() - kJoinHeaderBytes < size) {
        return std::nullopt;
    }
    auto message = read_body(type, in.take(size));
    if (!message) {
        return fail(causes::kProtocol, "a malformed frame of alknet/join");
    }
    return JoinFrame{.message = *std::move(message), .size = kJoinHeaderBytes + size};
}

}  // namespace alknet::identity
