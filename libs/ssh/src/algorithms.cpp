#include "algorithms.hpp"

#include <algorithm>
#include <alknet/base/causes_ssh.hpp>
#include <alknet/base/wire.hpp>

#include "messages.hpp"

namespace alknet::ssh {

namespace {

constexpr std::array kCiphers = {
    CipherInfo{
        .name = "aes128-gcm@openssh.com", .kind = CipherKind::gcm, .key_bytes = 16, .iv_bytes = 12},
    CipherInfo{
        .name = "aes256-gcm@openssh.com", .kind = CipherKind::gcm, .key_bytes = 32, .iv_bytes = 12},
    CipherInfo{.name = "chacha20-poly1305@openssh.com",
               .kind = CipherKind::chacha20,
               .key_bytes = 64,
               .iv_bytes = 0},
    CipherInfo{.name = "aes128-ctr", .kind = CipherKind::ctr, .key_bytes = 16, .iv_bytes = 16},
    CipherInfo{.name = "aes256-ctr", .kind = CipherKind::ctr, .key_bytes = 32, .iv_bytes = 16},
};

constexpr std::array kMacs = {
    MacInfo{.name = "hmac-sha2-256-etm@openssh.com", .sha512 = false, .etm = true},
    MacInfo{.name = "hmac-sha2-512-etm@openssh.com", .sha512 = true, .etm = true},
    MacInfo{.name = "hmac-sha2-256", .sha512 = false, .etm = false},
    MacInfo{.name = "hmac-sha2-512", .sha512 = true, .etm = false},
};

constexpr std::size_t kCookieBytes = 16;
constexpr std::string_view kHostKey = "ssh-ed25519";
constexpr std::string_view kNoCompression = "none";

std::string_view take_name(std::string_view& list) noexcept {
    const std::size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    return name;
}

std::string_view first_name(std::string_view list) noexcept {
    return take_name(list);
}

// Empty: none.
std::string_view common(std::string_view client, std::string_view server) noexcept {
    while (!client.empty()) {
        const std::string_view name = take_name(client);
        if (!name.empty() && lists_name(server, name)) {
            return name;
        }
    }
    return {};
}

result<std::string_view> agree(const KexInit& client, const KexInit& server, KexInit::List list,
                               std::string_view what) {
    const std::string_view name = common(client.lists[list], server.lists[list]);
    if (name.empty()) {
        return fail(causes::kNoAlgorithm, std::string(what));
    }
    return name;
}

result<Direction> agree_on_cipher(const KexInit& client, const KexInit& server, bool up) {
    Direction direction;
    ALKNET_TRY(const std::string_view cipher,
               agree(client, server, up ? KexInit::cipher_up : KexInit::cipher_down, "cipher"));
    direction.cipher = find_cipher(cipher);
    if (direction.cipher != nullptr && direction.cipher->kind == CipherKind::ctr) {
        ALKNET_TRY(const std::string_view mac,
                   agree(client, server, up ? KexInit::mac_up : KexInit::mac_down, "MAC"));
        direction.mac = find_mac(mac);
        if (direction.mac == nullptr) {
            return fail(causes::kNoAlgorithm, "MAC");
        }
    }
    if (direction.cipher == nullptr) {
        return fail(causes::kNoAlgorithm, "cipher");
    }
    return direction;
}

}  // namespace

const CipherInfo* find_cipher(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(kCiphers, name, &CipherInfo::name);
    return found == kCiphers.end() ? nullptr : found;
}

const MacInfo* find_mac(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(kMacs, name, &MacInfo::name);
    return found == kMacs.end() ? nullptr : found;
}

bool lists_name(std::string_view list, std::string_view name) noexcept {
    while (!list.empty()) {
        if (take_name(list) == name) {
            return true;
        }
    }
    return false;
}

result<KexInit> KexInit::parse(BytesView payload) {
    WireReader in(payload.subspan(1));
    (void)in.take(kCookieBytes);
    KexInit init;
    for (std::string_view& list : init.lists) {
        list = take_text(in);
        if (list.size() > kNameListBytesMax) {
            return fail(causes::kLimit, "a list of algorithms is too long");
        }
    }
    init.guess_follows = take_bool(in);
    (void)in.number<std::uint32_t>();
    if (!in.complete()) {
        return fail(causes::kProtocol, "a malformed KEXINIT");
    }
    return init;
}

Bytes make_kexinit(const Algorithms& offered, Role role, bool first, BytesView cookie) {
    WireWriter out = begin_message(Message::kexinit);
    out.append(cookie);
    std::string kex(offered.kex);
    if (first && role == Role::client) {
        kex += "," + std::string(kExtInfoClient);
    }
    if (first && offered.strict) {
        kex += "," + std::string(role == Role::client ? kStrictClient : kStrictServer);
    }
    for (const std::string_view list :
         {std::string_view(kex), kHostKey, offered.ciphers, offered.ciphers, offered.macs,
          offered.macs, kNoCompression, kNoCompression, std::string_view(), std::string_view()}) {
        put_text(out, list);
    }
    put_bool(out, offered.guess_follows && role == Role::client);
    out.number<std::uint32_t>(0);
    return out.take();
}

bool Direction::needs_strict() const noexcept {
    return cipher->kind == CipherKind::chacha20 || (mac != nullptr && mac->etm);
}

result<Negotiated> negotiate(const KexInit& client, const KexInit& server) {
    ALKNET_TRY(const std::string_view kex, agree(client, server, KexInit::kex, "key exchange"));
    ALKNET_TRY(const std::string_view host_key,
               agree(client, server, KexInit::host_key, "host key"));
    Negotiated chosen;
    chosen.guess_was_wrong = first_name(client.lists[KexInit::kex]) != kex ||
                             first_name(server.lists[KexInit::kex]) != kex ||
                             first_name(client.lists[KexInit::host_key]) != host_key ||
                             first_name(server.lists[KexInit::host_key]) != host_key;
    ALKNET_TRY(chosen.up, agree_on_cipher(client, server, true));
    ALKNET_TRY(chosen.down, agree_on_cipher(client, server, false));
    for (const KexInit::List list : {KexInit::compression_up, KexInit::compression_down}) {
        ALKNET_CHECK(agree(client, server, list, "compression"));
    }
    return chosen;
}

}  // namespace alknet::ssh
