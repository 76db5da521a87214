#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/tls/client_hello.hpp>
#include <bitset>
#include <cstdint>
#include <optional>

namespace alknet::tls {

namespace {

constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kClientCertificateType = 19;
constexpr std::uint16_t kServerCertificateType = 20;
constexpr std::uint16_t kSupportedVersions = 43;
constexpr std::uint16_t kPskKeyExchangeModes = 45;

constexpr std::uint8_t kTypeX509 = 0;
constexpr std::uint8_t kTypeRawKey = 2;
constexpr std::uint8_t kNameTypeHost = 0;
constexpr std::uint8_t kPskWithDhe = 1;
constexpr unsigned kTls13 = 0x0304;

constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kSessionIdBytesMax = 32;
constexpr std::size_t kHostBytesMax = 255;

std::unexpected<error> broken(std::string_view what) {
    return fail(causes::kProtocol, "ClientHello: " + std::string(what));
}

/// Takes big-endian numbers and length-prefixed vectors off the front; nullopt past the end.
class Reader {
public:
    explicit Reader(BytesView bytes) noexcept : rest_(bytes) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

    std::optional<unsigned> number(std::size_t octets) noexcept {
        const std::optional<BytesView> bytes = take(octets);
        if (!bytes) {
            return std::nullopt;
        }
        unsigned value = 0;
        for (const std::byte byte : *bytes) {
            value = value << 8U | std::to_integer<unsigned>(byte);
        }
        return value;
    }

    std::optional<BytesView> take(std::size_t size) noexcept {
        if (size > rest_.size()) {
            return std::nullopt;
        }
        const BytesView front = rest_.first(size);
        rest_ = rest_.subspan(size);
        return front;
    }

    /// A vector whose length stands before it in `length_octets` octets.
    std::optional<BytesView> vector(std::size_t length_octets) noexcept {
        const std::optional<unsigned> size = number(length_octets);
        return size ? take(*size) : std::nullopt;
    }

private:
    BytesView rest_;
};

/// The one vector that an extension consists of; nullopt if it is empty or something follows it.
std::optional<BytesView> sole_vector(BytesView extension, std::size_t length_octets) noexcept {
    Reader reader(extension);
    const std::optional<BytesView> list = reader.vector(length_octets);
    return list && !list->empty() && reader.empty() ? list : std::nullopt;
}

result<void> read_alpns(BytesView extension, ClientHello& hello) {
    const std::optional<BytesView> list = sole_vector(extension, 2);
    if (!list) {
        return broken("the ALPN extension is malformed");
    }
    hello.has_alpn = true;
    for (Reader names(*list); !names.empty();) {
        const std::optional<BytesView> name = names.vector(1);
        if (!name || name->empty()) {
            return broken("an ALPN name is empty or cut short");
        }
        if (hello.alpns.size() == ClientHello::kAlpnsMax) {
            return broken("more than 256 ALPN names");
        }
        hello.alpns.push_back(as_text(*name));
    }
    return {};
}

bool is_printable(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

result<void> read_server_name(BytesView extension, ClientHello& hello) {
    const std::optional<BytesView> list = sole_vector(extension, 2);
    if (!list) {
        return broken("the server_name extension is malformed");
    }
    for (Reader names(*list); !names.empty();) {
        const std::optional<unsigned> type = names.number(1);
        const std::optional<BytesView> name = names.vector(2);
        if (!type || !name) {
            return broken("a server name is cut short");
        }
        if (*type != kNameTypeHost) {
            continue;
        }
        const std::string_view host = as_text(*name);
        if (!hello.server_name.empty() || host.empty() || host.size() > kHostBytesMax ||
            !is_printable(host)) {
            return broken("the server name is not one host name");
        }
        hello.server_name = host;
    }
    return {};
}

/// Whether RawPublicKey is listed, and whether it is listed before X.509.
struct RawKeyOffer {
    bool listed = false;
    bool first = false;
};

std::optional<RawKeyOffer> read_certificate_types(BytesView extension) noexcept {
    const std::optional<BytesView> types = sole_vector(extension, 1);
    if (!types) {
        return std::nullopt;
    }
    const auto raw_key = std::ranges::find(*types, std::byte{kTypeRawKey});
    const auto x509 = std::ranges::find(*types, std::byte{kTypeX509});
    return RawKeyOffer{.listed = raw_key != types->end(), .first = raw_key < x509};
}

result<void> read_versions(BytesView extension, ClientHello& hello) {
    const std::optional<BytesView> list = sole_vector(extension, 1);
    if (!list || list->size() % 2 != 0) {
        return broken("the supported_versions extension is malformed");
    }
    for (Reader versions(*list); !versions.empty();) {
        const bool tls13 = versions.number(2) == kTls13;
        hello.tls13 = hello.tls13 || tls13;
    }
    return {};
}

result<void> read_psk_modes(BytesView extension, ClientHello& hello) {
    const std::optional<BytesView> modes = sole_vector(extension, 1);
    if (!modes) {
        return broken("the psk_key_exchange_modes extension is malformed");
    }
    hello.can_resume = std::ranges::find(*modes, std::byte{kPskWithDhe}) != modes->end();
    return {};
}

result<void> read_extension(unsigned type, BytesView data, ClientHello& hello) {
    switch (type) {
        case kServerName:
            return read_server_name(data, hello);
        case kAlpn:
            return read_alpns(data, hello);
        case kSupportedVersions:
            return read_versions(data, hello);
        case kPskKeyExchangeModes:
            return read_psk_modes(data, hello);
        case kClientCertificateType:
        case kServerCertificateType: {
            const std::optional<RawKeyOffer> offer = read_certificate_types(data);
            if (!offer) {
                return broken("a certificate type extension is malformed");
            }
            if (type == kClientCertificateType) {
                hello.raw_key_client = offer->first;
            } else {
                hello.raw_key_server = offer->listed;
            }
            return {};
        }
        default:
            return {};
    }
}

}  // namespace

result<ClientHello> parse_client_hello(BytesView body) {
    Reader reader(body);
    const bool fixed = reader.number(2) && reader.take(kRandomBytes);
    const std::optional<BytesView> session_id = reader.vector(1);
    const std::optional<BytesView> suites = reader.vector(2);
    const std::optional<BytesView> compressions = reader.vector(1);
    if (!fixed || !session_id || !suites || !compressions) {
        return broken("it is cut short");
    }
    if (session_id->size() > kSessionIdBytesMax || suites->empty() || suites->size() % 2 != 0 ||
        compressions->empty()) {
        return broken("a field has an impossible length");
    }
    ClientHello hello;
    if (reader.empty()) {
        return hello;  // TLS 1.2 allows a message without extensions
    }
    const std::optional<BytesView> extensions = reader.vector(2);
    if (!extensions || !reader.empty()) {
        return broken("the extensions do not fill it");
    }
    std::bitset<1U << 16U> seen;
    for (Reader list(*extensions); !list.empty();) {
        const std::optional<unsigned> type = list.number(2);
        const std::optional<BytesView> data = list.vector(2);
        if (!type || !data) {
            return broken("an extension is cut short");
        }
        if (seen.test(*type)) {
            return broken("an extension comes twice");
        }
        seen.set(*type);
        ALKNET_CHECK(read_extension(*type, *data, hello));
    }
    return hello;
}

}  // namespace alknet::tls
