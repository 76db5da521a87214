// The first octets of a TCP connection at a listener that stands behind proxies: whom it is from.
#pragma once

#include <alknet/net/network.hpp>

namespace alknet {

/// From a proxy that is trusted: takes its header off the stream, and its addresses. From anybody
/// else: refuses a header, and leaves the stream as it was. Errors: kProxyHeader, those of reading.
[[nodiscard]] task<result<net::TcpStream>> identify_client(net::TcpStream tcp, bool trusted);

}  // namespace alknet
