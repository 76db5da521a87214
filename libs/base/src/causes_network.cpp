// What the operating system and the network do to connections. The list of all is in causes.cpp.
#include <alknet/base/causes.hpp>

namespace alknet::causes {

constexpr Cause kIo{
    .id = "E-OS",
    .condition = errc::io,
    .what = "the operating system refused",
    .next = "see the detail",
    .explain = "A system call failed. The detail names the call, the object and the reason.",
};
constexpr Cause kAddressInUse{
    .id = "E-NET-ADDRESS-IN-USE",
    .condition = errc::exists,
    .what = "the address is already in use",
    .next = "stop the other program or choose another port: --listen HOST:PORT",
    .explain = "Another socket holds this UDP or TCP port. `ss -lunpt` shows which program.",
};
constexpr Cause kAddressInvalid{
    .id = "E-ADDRESS-INVALID",
    .condition = errc::invalid,
    .what = "this is not a usable address",
    .next = "write HOST:PORT, [IPV6]:PORT, alknet://NODE_ID@HOST:PORT or a peer's name",
    .explain =
        "Addresses are peer names, node ids, alknet://NODE_ID@HOST:PORT, or "
        "HOST[:PORT]. IPv6 literals stand in brackets.",
};
constexpr Cause kResolve{
    .id = "E-NET-RESOLVE",
    .condition = errc::unavailable,
    .what = "the name could not be resolved",
    .next = "check the spelling and your DNS",
    .explain = "The system's resolver has no address for this name.",
};
constexpr Cause kUnreachable{
    .id = "E-NET-UNREACHABLE",
    .condition = errc::unavailable,
    .what = "nothing answers at this address",
    .next = "check that the node runs there and that the port is open for UDP and TCP",
    .explain =
        "The network said that the address or port cannot be reached, or the "
        "connection was refused.",
};
constexpr Cause kProxyHeader{
    .id = "E-NET-PROXY-HEADER",
    .condition = errc::protocol,
    .what = "the PROXY protocol header is not as it must be",
    .next = "compare proxy_protocol_from of the listener with the proxies that send to it",
    .explain =
        "A listener with `proxy_protocol_from` takes the client's address from the header that a "
        "proxy sends first (PROXY protocol, version 1 or 2). A proxy of that list must send one, "
        "well formed; from anybody else it is refused, since it could claim any address.",
};
constexpr Cause kHandshakeTimeout{
    .id = "E-NET-HANDSHAKE-TIMEOUT",
    .condition = errc::timeout,
    .what = "the handshake got no answer in time",
    .next = "check the address and the firewalls on the way; `alknet doctor NODE` tries every way",
    .explain =
        "Packets were sent and no complete handshake came back. For QUIC the commonest reason is "
        "that UDP is blocked on the way, which --transport tcp avoids; over TCP that something "
        "else than a node has taken the connection, or that nobody there has time.",
};
constexpr Cause kIdleTimeout{
    .id = "E-NET-IDLE-TIMEOUT",
    .condition = errc::timeout,
    .what = "the connection was idle for too long",
    .next = "connect again",
    .explain =
        "Nothing arrived within the idle timeout, so the path or the other side is "
        "gone.",
};
constexpr Cause kClockWrong{
    .id = "E-CLOCK-WRONG",
    .condition = errc::invalid,
    .what = "a clock is wrong",
    .next = "set it: timedatectl set-ntp true",
    .explain =
        "The clocks of the two nodes differ by more than five minutes, or one of them "
        "stands where it cannot be. Certificates, tokens and signed messages are "
        "judged by the clock.",
};
constexpr Cause kCutShort{
    .id = "E-NET-CUT-SHORT",
    .condition = errc::unavailable,
    .what = "something on the way cuts connections short",
    .next = "use the other transport: --transport quic or tcp",
    .explain =
        "The handshake passes and the data after it does not, as behind filters that "
        "decide after the first packets.",
};
constexpr Cause kNoAnswer{
    .id = "E-NET-NO-ANSWER",
    .condition = errc::timeout,
    .what = "nothing comes back from there",
    .next = "check that the machine is on, and that the port is open for UDP and TCP",
    .explain =
        "Neither UDP nor TCP is answered, not even by a refusal. The machine is off, "
        "a firewall drops the packets, or a router in front of it does not pass the "
        "port on.",
};
constexpr Cause kNodeDown{
    .id = "E-NET-NODE-DOWN",
    .condition = errc::unavailable,
    .what = "no node runs there",
    .next = "start it there (alknet serve), or correct the port",
    .explain = "The machine answers that nothing listens on this port.",
};
constexpr Cause kNotForwarded{
    .id = "E-NET-NOT-FORWARDED",
    .condition = errc::unavailable,
    .what = "a router does not pass the port on to the node",
    .next = "set up port forwarding for UDP and TCP",
    .explain =
        "The node stands behind a router that translates addresses (NAT) or filters, "
        "and connections from outside do not reach it.",
};
constexpr Cause kPathLoss{
    .id = "E-NET-PATH-LOSS",
    .condition = errc::unavailable,
    .what = "the path loses many packets",
    .next = "try a cable, or another network",
    .explain =
        "More than a tenth of single, slowly sent packets are lost: bad radio, a bad "
        "cable or an overloaded line.",
};
constexpr Cause kPathMtu{
    .id = "E-NET-PATH-MTU",
    .condition = errc::unavailable,
    .what = "the path is too narrow for QUIC",
    .next = "raise the MTU of the tunnel on the way; over TCP: --transport tcp",
    .explain =
        "QUIC needs packets of 1200 octets of payload in each direction, and the path "
        "drops them, though small ones pass. Tunnels with a small MTU do that.",
};
constexpr Cause kProxyNeeded{
    .id = "E-NET-PROXY-NEEDED",
    .condition = errc::unavailable,
    .what = "this network passes nothing but through its proxy",
    .next = "set HTTPS_PROXY or ALL_PROXY",
    .explain = "Direct dials are not answered, and this machine has a proxy for the way out.",
};
constexpr Cause kQuicForged{
    .id = "E-NET-QUIC-FORGED",
    .condition = errc::forbidden,
    .what = "somebody else answers QUIC in the node's place",
    .next = "use TLS over TCP there: --transport tcp",
    .explain =
        "Over UDP the answers come from somebody who is not the node, while over TCP "
        "the node proves its key. Before the handshake ends nobody has proven "
        "anything, so such answers never end a dial.",
};
constexpr Cause kTcpBlocked{
    .id = "E-NET-TCP-BLOCKED",
    .condition = errc::unavailable,
    .what = "TCP does not pass",
    .next = "open the TCP port, there and on the way",
    .explain = "QUIC reaches the node, and TCP on the same port number does not.",
};
constexpr Cause kTlsOpened{
    .id = "E-NET-TLS-OPENED",
    .condition = errc::forbidden,
    .what = "something on the way opens TLS",
    .next = "use QUIC, or have the destination excepted from inspection",
    .explain =
        "Over TCP a certificate is shown that is not the node's, as by a filter that "
        "decrypts connections to read them. Nothing was sent to it.",
};
constexpr Cause kUdpBlocked{
    .id = "E-NET-UDP-BLOCKED",
    .condition = errc::unavailable,
    .what = "UDP does not pass",
    .next = "open the UDP port; meanwhile: --transport tcp",
    .explain = "TCP reaches the node, and no UDP packet does.",
};
constexpr Cause kUdpOneWay{
    .id = "E-NET-UDP-ONE-WAY",
    .condition = errc::unavailable,
    .what = "UDP passes in one direction only",
    .next = "let answers from UDP ports in; meanwhile: --transport tcp",
    .explain = "The node has seen our first QUIC packets, and its answers do not come back.",
};
constexpr Cause kUdpPoliced{
    .id = "E-NET-UDP-POLICED",
    .condition = errc::limit,
    .what = "UDP is held back on the way",
    .next = "use TLS over TCP there: --transport tcp",
    .explain =
        "QUIC works and is much slower than TCP on the same path, though single "
        "packets pass: somebody limits the rate of UDP.",
};
constexpr Cause kProxyInvalid{
    .id = "E-NET-PROXY-INVALID",
    .condition = errc::invalid,
    .what = "the proxy in the environment cannot be used",
    .next = "write http://HOST:PORT or socks5h://HOST:PORT, or unset the variable",
    .explain =
        "HTTPS_PROXY, or else ALL_PROXY, names the proxy that a dial tries last; the detail "
        "says which variable. User and password stand before the host, as USER:PASSWORD@, with "
        "%40 for @ and %3A for a colon. Proxies that are themselves reached by TLS (https://) are "
        "not supported.",
};
constexpr Cause kProxyAuth{
    .id = "E-NET-PROXY-AUTH",
    .condition = errc::auth_required,
    .what = "the proxy wants other credentials",
    .next = "put USER:PASSWORD@ before the host in HTTPS_PROXY or ALL_PROXY",
    .explain =
        "The proxy answered with status 407, or its SOCKS form. Basic credentials and SOCKS user "
        "and password are supported; Negotiate and NTLM are not.",
};
constexpr Cause kProxyRefused{
    .id = "E-NET-PROXY-REFUSED",
    .condition = errc::forbidden,
    .what = "the proxy refuses to connect there",
    .next = "ask who runs it to allow this port, or have the node listen on 443",
    .explain =
        "Many HTTP proxies let CONNECT through to port 443 alone. A listener on port 443 reaches "
        "people behind them. NO_PROXY leaves hosts out of the proxy's way.",
};

}  // namespace alknet::causes
