#include <alknet/base/causes.hpp>
#include <alknet/base/number.hpp>
#include <alknet/net/address_range.hpp>

namespace alknet::net {

namespace {

constexpr unsigned kOctetBits = 8;

unsigned bits_of(SocketAddress::Family family) noexcept {
    return family == SocketAddress::Family::v4 ? 32 : 128;
}

/// The part of octet `index` that belongs to a prefix of `bits`.
std::uint8_t mask(unsigned bits, unsigned index) noexcept {
    const unsigned before = index * kOctetBits;
    if (bits >= before + kOctetBits) {
        return 0xff;
    }
    return bits <= before ? 0 : static_cast<std::uint8_t>(0xff00U >> (bits - before));
}

}  // namespace

result<AddressRange> AddressRange::parse_loosely(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string_view ip = text.substr(0, slash);
    const bool v6 = ip.find(':') != std::string_view::npos;
    const std::string shown(text);
    const auto address =
        SocketAddress::parse(v6 ? "[" + std::string(ip) + "]:0" : std::string(ip) + ":0");
    if (!address) {
        return fail(causes::kAddressInvalid, shown);
    }
    AddressRange range;
    range.first_ = *address;
    range.bits_ = bits_of(address->family());
    if (slash != std::string_view::npos) {
        const auto bits = parse_number<unsigned>(text.substr(slash + 1));
        if (!bits || *bits > range.bits_) {
            return fail(causes::kAddressInvalid, shown);
        }
        range.bits_ = *bits;
    }
    return range;
}

result<AddressRange> AddressRange::parse(std::string_view text) {
    ALKNET_TRY(const AddressRange range, parse_loosely(text));
    for (unsigned i = 0; i < bits_of(range.first_.family()) / kOctetBits; ++i) {
        if ((range.first_.ip()[i] & ~mask(range.bits_, i)) != 0) {
            return fail(causes::kAddressInvalid,
                        std::string(text) + ": bits after the prefix are not zero");
        }
    }
    return range;
}

bool AddressRange::contains(const SocketAddress& address) const noexcept {
    if (address.family() != first_.family()) {
        return false;
    }
    for (unsigned i = 0; i < bits_of(first_.family()) / kOctetBits; ++i) {
        if (((address.ip()[i] ^ first_.ip()[i]) & mask(bits_, i)) != 0) {
            return false;
        }
    }
    return true;
}

std::string AddressRange::to_string() const {
    return first_.ip_text() + "/" + std::to_string(bits_);
}

}  // namespace alknet::net
