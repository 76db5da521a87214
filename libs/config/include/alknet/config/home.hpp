// The home of a node: one directory that holds everything it is and knows, and that can be backed
// up, moved and upgraded as a whole.
//
//   alknet.toml                the configuration, written by people
//   alknet.toml.previous, .pending, .applied, config.lock  changes of it (change.hpp)
//   node.key, .next, .rotations, .told  its private key (PKCS#8 PEM), and the one to come
//   cert.pem, cert-key.pem     a certificate that nobody signed, for peers without raw public keys
//   endpoint.secrets           what tokens and stateless resets are made with
//   manifest.toml              the version of this layout
//   node.lock                  held while a node runs here
//   known_nodes, known_nodes.lock  who hosts without a node id were (docs/known-nodes.md)
//   audit.log, audit-*.log, audit.head  what was decided (docs/audit.md)
//   paths, paths.lock          which ways to other nodes worked, for a day; may be removed
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/config/config.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/quic/endpoint.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::config {

/// The version of the layout that this program reads and writes.
inline constexpr std::int64_t kHomeFormat = 1;

/// Where a home can come from. Empty strings count as unset.
struct HomeSources {
    std::optional<std::filesystem::path> option;  // --home
    std::string alknet_home;                      // $ALKNET_HOME
    std::string xdg_data_home;                    // $XDG_DATA_HOME, ignored unless absolute
    std::string user_home;                        // $HOME

    static HomeSources from_environment(std::optional<std::filesystem::path> option);
};

/// --home, else $ALKNET_HOME, else `alknet` in the XDG data directory (~/.local/share).
/// Errors: kHomeInvalid if none is known.
[[nodiscard]] result<std::filesystem::path> choose_home(const HomeSources& sources);

struct CreateOptions {
    std::vector<std::string> addresses;  // to listen on; empty: the default ones
    std::vector<std::string> names;      // in the certificate
    std::string program;                 // "alknet 0.1.0", for the manifest
};

/// What `Home::create` has written, in order; files that were there are left alone.
struct Created {
    std::vector<std::string> written;
    std::vector<std::string> kept;
};

/// Held for as long as this object lives; the system lets go of it when the process dies.
class HomeLock {
public:
    explicit HomeLock(UniqueFd file) noexcept : file_(std::move(file)) {}

private:
    UniqueFd file_;
};

/// Errors: kConfigMissing, kHomeInvalid when others may write the file, kIo.
[[nodiscard]] result<std::string> read_config_text(const std::filesystem::path& file);

/// A value: the path of a directory that was checked, and what its configuration may name.
class Home {
public:
    /// A directory that holds a node. Errors: kConfigMissing when there is none; kHomeInvalid when
    /// somebody else owns it or could write to it, or a newer program made it; kIo.
    /// `services`: see ParseOptions.
    static result<Home> open(const std::filesystem::path& directory,
                             std::vector<std::string> services = {});

    /// Makes the directory (mode 0700) and whatever a node needs and is not there yet; an
    /// interrupted call is completed by the next. Errors: kHomeExists when nothing is missing;
    /// kHomeInvalid, also for a directory full of other things; kIo.
    static result<Created> create(const std::filesystem::path& directory,
                                  const CreateOptions& options);

    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
    [[nodiscard]] const std::vector<std::string>& services() const noexcept { return services_; }
    [[nodiscard]] std::filesystem::path config_file() const { return directory_ / "alknet.toml"; }
    [[nodiscard]] tls::CertificateFiles own_certificate() const;

    /// Errors: kConfigInvalid with line, column, key and reason.
    [[nodiscard]] result<Config> parse_config(std::string_view text) const;
    /// Errors: those of read_config_text and parse_config.
    [[nodiscard]] result<Config> load_config() const;
    /// Errors: kHomeInvalid with the file and what is wrong with it, kIo.
    [[nodiscard]] result<std::shared_ptr<const NodeKey>> load_key(const StaticConfig& fixed) const;
    /// Errors: as above.
    [[nodiscard]] result<quic::EndpointSecrets> load_secrets() const;
    /// The node's own process alone holds it. Errors: kHomeInvalid when another one does, kIo.
    [[nodiscard]] result<HomeLock> lock() const;

private:
    Home(std::filesystem::path directory, std::vector<std::string> services)
        : directory_(std::move(directory)), services_(std::move(services)) {}
    std::filesystem::path directory_;
    std::vector<std::string> services_;
};

}  // namespace alknet::config
