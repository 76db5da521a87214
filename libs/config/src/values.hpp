// One small type for each kind of value in alknet.toml: how it is read, written and described.
// `read` leaves `into` alone when it refuses.
#pragma once

#include <alknet/config/config.hpp>
#include <alknet/config/units.hpp>
#include <alknet/rt/time.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "reading.hpp"

namespace alknet::config {

/// TOML text of a string.
[[nodiscard]] std::string toml_text(std::string_view text);

/// Letters, digits and what `more` has.
[[nodiscard]] bool is_word(std::string_view text, std::string_view more);
/// Two beginnings of names of operations, of which one of another service gets that and a "-":
/// "sums-math/add". Refuses those by which different operations could have one name.
void check_prefixes(Reading& in, const toml::table& table, const std::string& one,
                    const std::string& other);

void read_integer(Reading& in, const toml::node& value, std::uint64_t min, std::uint64_t max,
                  std::uint64_t& into);
void read_size(Reading& in, const toml::node& value, std::uint64_t min, std::uint64_t max,
               std::uint64_t& into);
void read_duration(Reading& in, const toml::node& value, Duration min, Duration max,
                   Duration& into);
[[nodiscard]] std::string integer_type(std::uint64_t min, std::uint64_t max);
[[nodiscard]] std::string size_type(std::uint64_t min, std::uint64_t max);
[[nodiscard]] std::string duration_type(Duration min, Duration max);

template <std::uint64_t Min, std::uint64_t Max>
struct Integer {
    template <class T>
    static void read(Reading& in, const toml::node& value, T& into) {
        static_assert(Max <= std::numeric_limits<T>::max());
        std::uint64_t number = into;
        read_integer(in, value, Min, Max, number);
        into = static_cast<T>(number);
    }
    static std::string show(std::uint64_t value) { return std::to_string(value); }
    static std::string type() { return integer_type(Min, Max); }
};

/// Octets, as a number or with a unit.
template <std::uint64_t Min, std::uint64_t Max>
struct Size {
    static void read(Reading& in, const toml::node& value, std::uint64_t& into) {
        read_size(in, value, Min, Max, into);
    }
    static std::string show(std::uint64_t value) { return toml_text(size_text(value)); }
    static std::string type() { return size_type(Min, Max); }
};

template <std::int64_t MinMs, std::int64_t MaxMs>
struct Span {
    static constexpr Duration kMin = std::chrono::milliseconds(MinMs);
    static constexpr Duration kMax = std::chrono::milliseconds(MaxMs);
    static void read(Reading& in, const toml::node& value, Duration& into) {
        read_duration(in, value, kMin, kMax, into);
    }
    static std::string show(Duration value) { return toml_text(duration_text(value)); }
    static std::string type() { return duration_type(kMin, kMax); }
};

/// How far a peer's own renewal reaches; zero, where there is none, is not written.
struct Renewal {
    using Value = Span<identity::kRenewMin / std::chrono::milliseconds(1),
                       identity::kRenewMax / std::chrono::milliseconds(1)>;
    static void read(Reading& in, const toml::node& value, Duration& into) {
        Value::read(in, value, into);
    }
    static std::string show(Duration value) {
        return value == Duration() ? std::string() : Value::show(value);
    }
    static std::string type() { return Value::type(); }
};

struct Flag {
    static void read(Reading& in, const toml::node& value, bool& into);
    static std::string show(bool value) { return value ? "true" : "false"; }
    static std::string type() { return "true or false"; }
};

struct Path {
    static void read(Reading& in, const toml::node& value, std::filesystem::path& into);
    static std::string show(const std::filesystem::path& value);
    static std::string type() { return "a path; relative ones begin at the home"; }
};

/// What logs, metrics and other keys call something: letters, digits, `.`, `_` and `-`.
struct Name {
    static void read(Reading& in, const toml::node& value, std::string& into);
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "a name of at most 64 letters, digits, '.', '_' or '-'"; }
};

/// One that need not be there.
struct OptionalName : Name {
    static std::string show(const std::string& value) {
        return value.empty() ? std::string() : Name::show(value);
    }
};

struct Address {
    static void read(Reading& in, const toml::node& value, SocketAddress& into);
    static std::string show(const SocketAddress& value) { return toml_text(value.to_string()); }
    static std::string type() { return "IP:PORT or [IPV6]:PORT"; }
};

struct Range {
    static void read(Reading& in, const toml::node& value, net::AddressRange& into);
    static std::string show(const net::AddressRange& value) { return toml_text(value.to_string()); }
    static std::string type() { return "IP/BITS or IP"; }
};

struct Alpn {
    static void read(Reading& in, const toml::node& value, std::string& into);
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "ALPN names of 1 to 31 octets"; }
};

struct PeerKey {
    static void read(Reading& in, const toml::node& value, std::string& into);
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "node ids in any text form, or x509-sha256:HEX"; }
};

/// `service:action[:resource]`
struct Scope {
    static void read(Reading& in, const toml::node& value, std::string& into);
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "scopes SERVICE:ACTION or SERVICE:ACTION:RESOURCE"; }
};

/// `service:resource`
struct Resource {
    static void read(Reading& in, const toml::node& value, std::string& into);
    static std::string show(const std::string& value) { return toml_text(value); }
    static std::string type() { return "resources SERVICE:RESOURCE"; }
};

/// A scope without wildcards, which a service asks for.
struct ExactScope {
    static void read(Reading& in, const toml::node& value, std::string& into);
    static std::string show(const std::string& value) {
        return value.empty() ? std::string() : toml_text(value);
    }
    static std::string type() { return "a scope without *"; }
};

/// The beginning of a day in UTC, or a moment with its offset, between 1970 and 2200.
struct Expiry {
    static void read(Reading& in, const toml::node& value, std::optional<WallTime>& into);
    static std::string show(const std::optional<WallTime>& value);
    static std::string type() { return "a date, in UTC, or a date and time with its offset"; }
};

/// What forwarding rules are about.
struct Target {
    static void read(Reading& in, const toml::node& value, identity::ForwardTarget& into);
    static std::string show(const identity::ForwardTarget& value);
    static std::string type() {
        return "HOST or HOST:PORTS or a socket's path; HOST is *, a name, a name with *, an "
               "address or IP/BITS, "
               "[IPV6] with ports; PORTS is a port, A-B or *";
    }
};

struct Claim {
    static void read(Reading& in, const toml::node& value, identity::ForwardClaim& into);
    static std::string show(identity::ForwardClaim value);
    static std::string type() { return "\"connect\" or \"listen\""; }
};

/// True for allow.
struct Action {
    static void read(Reading& in, const toml::node& value, bool& into);
    static std::string show(bool value);
    static std::string type() { return "\"allow\" or \"deny\""; }
};

/// Where a peer is reached: no bare node id, which leads nowhere by itself.
struct Reach {
    static void read(Reading& in, const toml::node& value, std::optional<NodeAddress>& into);
    static std::string show(const std::optional<NodeAddress>& value);
    static std::string type() { return "HOST[:PORT], [IPV6]:PORT or alknet://NODE_ID@HOST:PORT"; }
};

struct TransportSet {
    static void read(Reading& in, const toml::node& value, Transports& into);
    static std::string show(const Transports& value);
    static std::string type() { return "an array of \"quic\" and \"tcp\", not empty"; }
};

struct WaySet {
    static void read(Reading& in, const toml::node& value, Ways& into);
    static std::string show(const Ways& value);
    static std::string type() { return "an array of \"quic\", \"tcp\" and \"proxy\", not empty"; }
};

struct Format {
    static void read(Reading& in, const toml::node& value, LogFormat& into);
    static std::string show(LogFormat value);
    static std::string type() { return "\"text\" or \"json\""; }
};

struct Level {
    static void read(Reading& in, const toml::node& value, LogLevel& into);
    static std::string show(LogLevel value) { return toml_text(to_string(value)); }
    static std::string type();
};

struct CongestionControl {
    static void read(Reading& in, const toml::node& value, quic::Congestion& into);
    static std::string show(quic::Congestion value);
    static std::string type() { return "\"bbr\" or \"cubic\""; }
};

struct UnknownAlpnAnswer {
    static void read(Reading& in, const toml::node& value, UnknownAlpn& into);
    static std::string show(UnknownAlpn value);
    static std::string type() { return "\"alert\" or \"http\""; }
};

struct Certificate {
    static void read(Reading& in, const toml::node& value, tls::CertificateFiles& into);
    static std::string show(const tls::CertificateFiles& value);
    static std::string type() { return "tables { chain = PATH, key = PATH } of PEM files"; }
};

/// An array of distinct values.
template <class Element, std::size_t SizeMax>
struct List {
    template <class T>
    static void read(Reading& in, const toml::node& value, std::vector<T>& into) {
        const toml::array* array = in.array(value, SizeMax);
        if (array == nullptr) {
            return;
        }
        std::vector<T> read_so_far;
        for (const toml::node& node : *array) {
            T element{};
            Element::read(in, node, element);
            if (contains(read_so_far, element)) {
                in.refuse(node, "stands here twice");
            } else {
                read_so_far.push_back(std::move(element));
            }
        }
        into = std::move(read_so_far);
    }
    template <class T>
    static std::string show(const std::vector<T>& value) {
        std::string text;
        for (const T& element : value) {
            text.append(text.empty() ? "" : ", ").append(Element::show(element));
        }
        return "[" + text + "]";
    }
    static std::string type() { return "an array of " + Element::type(); }

private:
    template <class T>
    static bool contains(const std::vector<T>& list, const T& element) {
        for (const T& other : list) {
            if (Element::show(other) == Element::show(element)) {
                return true;
            }
        }
        return false;
    }
};

}  // namespace alknet::config
