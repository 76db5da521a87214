// What the other end of a WebSocket sends. The first octet says how the rest is cut into reads, and
// which role this end has: what comes of it must be that of one read.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/base/utf8.hpp>
#include <string>

#include "websocket_session.hpp"

namespace {

using namespace alknet;
using namespace alknet::http;

constexpr std::size_t kMessageMax = 1 << 16;

std::string outcome(BytesView octets, std::size_t step, WebSocketRole role) {
    const auto session =
        WebSocketSession::create(
            {.role = role,
             .message_bytes_max = kMessageMax,
             .random = [](MutableBytes into) { std::ranges::fill(into, std::byte{1}); }})
            .value();
    std::string text;
    Bytes sent;
    while (!octets.empty()) {
        const BytesView piece = octets.first(std::min(step, octets.size()));
        octets = octets.subspan(piece.size());
        session->receive(piece);
        while (session->has_message()) {
            const auto message = session->next_message();
            ALKNET_ASSERT(message && message->data.size() <= kMessageMax);
            ALKNET_ASSERT(!message->text || is_valid_utf8(message->data));
            text += message->data + "\n";
        }
        const Bytes output = session->take_output();
        sent.insert(sent.end(), output.begin(), output.end());
    }
    if (session->end()) {
        // Of two rules that one frame breaks, either may be met first.
        const std::uint16_t code = session->end()->code;
        const bool broken =
            code == websocket_code::kProtocol || code == websocket_code::kInvalidText;
        text += broken ? "broken" : std::to_string(code) + session->end()->reason;
    }
    // Ours is the last word.
    const bool good = session->send("data", false) && session->send("text", true).has_value();
    ALKNET_ASSERT(good || session->sent_all());
    session->ping();
    ALKNET_ASSERT(!session->send("\xff", true) && !session->next_message());
    std::string reason;
    while (reason.size() < 130) {
        reason += "\xc3\xa9";  // which is cut between its two octets
    }
    session->close(websocket_code::kNormal, reason);
    const Bytes output = session->take_output();
    ALKNET_ASSERT(session->sent_all() && session->take_output().empty());
    ALKNET_ASSERT(!session->send("late", true));
    // A pong is owed no more once a rule is broken: whether it still leaves depends on the reads.
    return session->end() ? text : text + std::string(as_text(sent));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto role = data[0] >= 128 ? WebSocketRole::client : WebSocketRole::server;
    const BytesView octets = view_octets(data + 1, size - 1);
    const std::string whole = outcome(octets, std::max<std::size_t>(octets.size(), 1), role);
    const std::string pieces = outcome(octets, 1 + data[0] % 64, role);
    // How much of a frame must be there until it is seen that it breaks a rule depends on the
    // reads.
    const bool broken = whole.ends_with("broken") || pieces.ends_with("broken");
    ALKNET_ASSERT(broken || pieces == whole);
    return 0;
}
