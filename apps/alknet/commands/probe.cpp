#include <fmt/format.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/core/echo.hpp>
#include <alknet/resume/frames.hpp>
#include <alknet/tls/certificate.hpp>
#include <array>
#include <chrono>
#include <optional>

#include "client.hpp"
#include "commands.hpp"
#include "output.hpp"
#include "version_probe.hpp"

namespace alknet::app {

namespace {

// What nodes and web servers are asked for when nobody says otherwise.
constexpr std::array<std::string_view, 17> kKnownAlpns = {
    kEchoAlpn,     resume::kResumeAlpn, "alknet/call", "alknet/ssh", "alknet/git",
    "alknet/sftp", "alknet/msg",        "alknet/http", "alknet/dns", "h3",
    "h2",          "http/1.1",          "doq",         "dot",        "acme-tls/1",
    "ssh",         "hq-interop"};

/// What one transport of the node showed.
struct Face {
    Transport transport = Transport::quic;
    std::optional<error> failure;  // why nothing is known
    std::vector<std::string> versions;
    std::vector<std::string> alpns;
    std::optional<PeerIdentity> raw_key;
    std::optional<PeerIdentity> certificate;
};

struct Probe {
    const CommandLine& line;
    const ProbeOptions& options;
    Client& client;
    NodeAddress address;
    std::vector<Face> faces;
};

using Kind = PeerIdentity::Kind;

std::vector<std::string> candidates(const ProbeOptions& options) {
    std::vector<std::string> names = options.alpns;
    for (const std::string_view name : kKnownAlpns) {
        if (std::ranges::count(names, name) == 0) {
            names.emplace_back(name);
        }
    }
    return names;
}

// One handshake, and nothing after it.
task<result<ConnectionInfo>> shake_hands(Probe& probe, Transport transport,
                                         std::vector<std::string> alpns, Kind only) {
    DialOptions options;
    options.alpns = std::move(alpns);
    options.quic = transport == Transport::quic;
    options.tcp = !options.quic;
    options.proxy = false;
    options.verify = tls::VerifyNothing{.only = only};
    options.transport.handshake_timeout = probe.options.timeout;
    ALKNET_CO_TRY(auto connection,
                  co_await probe.client.dialer().dial(probe.address, std::move(options)));
    ConnectionInfo info = connection->info();
    connection->close(close_code::kOk, "");
    co_return info;
}

// Each handshake names one service of those that were asked for, or tells that none is there.
task<result<void>> find_alpns(Probe& probe, Face& face) {
    std::vector<std::string> names = candidates(probe.options);
    while (!names.empty()) {
        const std::size_t size = std::min(names.size(), tls::kAlpnsOfferedMax);
        std::vector<std::string> asked(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(size));
        auto info = co_await shake_hands(probe, face.transport, std::move(asked), Kind::none);
        if (info) {
            face.alpns.push_back(info->alpn);
            std::erase(names, info->alpn);
        } else if (info.error().is(causes::kNoCommonAlpn)) {
            names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(size));
        } else {
            co_return unexpected(std::move(info).error());
        }
    }
    co_return result<void>();
}

task<std::optional<PeerIdentity>> find_identity(Probe& probe, const Face& face, Kind kind) {
    std::vector<std::string> alpns = {face.alpns.front()};
    auto info = co_await shake_hands(probe, face.transport, std::move(alpns), kind);
    if (!info || info->peer.kind != kind) {
        co_return std::nullopt;
    }
    co_return std::move(info->peer);
}

task<result<void>> find_versions(Probe& probe, Face& face) {
    const std::uint16_t port = probe.address.port.value_or(kDefaultPort);
    ALKNET_CO_TRY(const auto addresses, co_await probe.client.network().resolve(
                                            probe.client.loop(), probe.address.host, port));
    ALKNET_CO_TRY(const auto versions,
                  co_await probe_versions(probe.client.loop(), probe.client.network(),
                                          addresses.front(), probe.options.timeout));
    for (const std::uint32_t version : versions) {
        face.versions.push_back(version_name(version));
    }
    co_return result<void>();
}

task<result<void>> look_at(Probe& probe, Face& face) {
    if (face.transport == Transport::quic) {
        ALKNET_CO_CHECK(co_await find_versions(probe, face));
    }
    ALKNET_CO_CHECK(co_await find_alpns(probe, face));
    if (!face.alpns.empty()) {
        face.raw_key = co_await find_identity(probe, face, Kind::raw_key);
        face.certificate = co_await find_identity(probe, face, Kind::x509);
    }
    co_return result<void>();
}

task<result<void>> look_at_all(Probe& probe) {
    for (const Transport transport : {Transport::quic, Transport::tcp}) {
        Face face{.transport = transport,
                  .failure = {},
                  .versions = {},
                  .alpns = {},
                  .raw_key = {},
                  .certificate = {}};
        if (auto looked = co_await look_at(probe, face); !looked) {
            if (looked.error().is(causes::kCancelled)) {
                co_return looked;
            }
            face.failure = std::move(looked).error();
        }
        probe.faces.push_back(std::move(face));
    }
    co_return result<void>();
}

std::string date(std::int64_t seconds) {
    const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
    const auto days = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day day(days);
    const std::chrono::hh_mm_ss clock(time - days);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::optional<tls::CertificateSummary> summary_of(const PeerIdentity& identity) {
    if (identity.certificate == nullptr) {
        return std::nullopt;
    }
    auto summary = tls::summarize_certificate(*identity.certificate);
    return summary ? std::optional(std::move(*summary)) : std::nullopt;
}

Json certificate_json(const PeerIdentity& identity) {
    Json::Object object = {{"fingerprint", identity.fingerprint()}};
    if (const auto summary = summary_of(identity)) {
        object.emplace_back("subject", summary->subject);
        object.emplace_back("issuer", summary->issuer);
        object.emplace_back("names", Json::list(summary->names));
        object.emplace_back("not_before", date(summary->not_before));
        object.emplace_back("not_after", date(summary->not_after));
        object.emplace_back("self_issued", summary->self_issued);
    }
    return object;
}

Json as_json(const Face& face) {
    Json::Object object = {{"reachable", !face.failure.has_value()}};
    if (face.failure) {
        object.emplace_back("error", Json::object({{"id", face.failure->cause().id},
                                                   {"what", face.failure->cause().what},
                                                   {"detail", face.failure->detail()}}));
    }
    if (face.transport == Transport::quic) {
        object.emplace_back("versions", Json::list(face.versions));
    }
    object.emplace_back("alpns", Json::list(face.alpns));
    object.emplace_back("raw_key", face.raw_key ? Json(face.raw_key->fingerprint()) : Json());
    object.emplace_back("certificate",
                        face.certificate ? certificate_json(*face.certificate) : Json());
    return object;
}

std::string joined(const std::vector<std::string>& words) {
    return words.empty() ? "none" : printable(fmt::format("{}", fmt::join(words, ", ")));
}

// "is the node id that was asked for", if one was.
std::string judged(const Probe& probe, const PeerIdentity& key) {
    if (!probe.address.id) {
        return "";
    }
    return *probe.address.id == key.key ? " (as asked for)" : " (NOT the one asked for)";
}

std::string as_text(const Probe& probe, const Face& face) {
    std::string text = face.transport == Transport::quic ? "QUIC on UDP\n" : "TLS on TCP\n";
    if (!face.versions.empty()) {
        text += "  versions     " + joined(face.versions) + "\n";
    }
    if (face.failure) {
        const std::string why = std::string(face.failure->cause().what) +
                                (face.failure->detail().empty() ? "" : ": ") +
                                face.failure->detail();
        return text + "  failed       " + printable(why) + "\n";
    }
    text += "  services     " + joined(face.alpns) + "\n";
    if (face.raw_key) {
        text +=
            "  raw key      " + face.raw_key->fingerprint() + judged(probe, *face.raw_key) + "\n";
    }
    if (face.certificate) {
        text += "  certificate  " + face.certificate->fingerprint() + "\n";
        if (const auto summary = summary_of(*face.certificate)) {
            text += fmt::format(
                "  subject      {}\n  issuer       {}{}\n  names        {}\n"
                "  valid        {} to {}\n",
                printable(summary->subject), printable(summary->issuer),
                summary->self_issued ? " (itself)" : "", joined(summary->names),
                date(summary->not_before), date(summary->not_after));
        }
    }
    return text;
}

result<void> report(const Probe& probe) {
    if (probe.line.json) {
        return print_line(Json::object({{"address", probe.address.to_string()},
                                        {"quic", as_json(probe.faces[0])},
                                        {"tcp", as_json(probe.faces[1])}})
                              .text());
    }
    for (const Face& face : probe.faces) {
        ALKNET_CHECK(print_text(as_text(probe, face)));
    }
    return {};
}

}  // namespace

result<ExitCode> run(const CommandLine& line, const ProbeOptions& options) {
    for (const std::string& alpn : options.alpns) {
        ALKNET_CHECK(tls::check_alpn(alpn));
    }
    // A stranger to whoever answers: nothing has been verified yet.
    ALKNET_TRY(auto client, Client::create(line, Client::As::stranger));
    ALKNET_TRY(auto address, resolve_address(options.address, client->peers()));
    Probe probe{.line = line,
                .options = options,
                .client = *client,
                .address = std::move(address),
                .faces = {}};
    ALKNET_CHECK(client->run(look_at_all(probe)));
    const auto failed = [](const Face& face) { return face.failure.has_value(); };
    if (std::ranges::all_of(probe.faces, failed)) {
        return unexpected(*probe.faces.front().failure);
    }
    ALKNET_CHECK(report(probe));
    return ExitCode::ok;
}

}  // namespace alknet::app
