// A range of addresses as people write it: `10.0.0.0/8`, `2001:db8::/32`, or one address (RFC 4632
// section 3.1, RFC 4291 section 2.3).
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/net/socket_address.hpp>
#include <string>
#include <string_view>

namespace alknet::net {

class AddressRange {
public:
    /// Bits after the prefix must be zero, since somebody meant something else. Errors:
    /// kAddressInvalid.
    static result<AddressRange> parse(std::string_view text);
    /// The same where such bits are common, as in NO_PROXY: they do not count.
    static result<AddressRange> parse_loosely(std::string_view text);

    /// Of the same family, whatever the port.
    [[nodiscard]] bool contains(const SocketAddress& address) const noexcept;
    [[nodiscard]] std::string to_string() const;

    bool operator==(const AddressRange&) const = default;

private:
    SocketAddress first_;
    unsigned bits_ = 0;
};

}  // namespace alknet::net
