#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/config/home.hpp>
#include <alknet/config/reference.hpp>
#include <alknet/crypto/private_file.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>

#include "toml.hpp"

namespace alknet::config {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfigName = "alknet.toml";
constexpr std::string_view kKeyName = "node.key";
constexpr std::string_view kCertificateName = "cert.pem";
constexpr std::string_view kCertificateKeyName = "cert-key.pem";
constexpr std::string_view kSecretsName = "endpoint.secrets";
constexpr std::string_view kManifestName = "manifest.toml";
constexpr std::string_view kLockName = "node.lock";

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::unexpected<error> os_failure(std::string_view call, const fs::path& file, int number) {
    return file_fail(call, number, file);
}

// Whoever can write here decides what the node is and does.
result<void> check_owner(const fs::path& path, const struct stat& status) {
    if (status.st_uid != ::geteuid()) {
        return fail(causes::kHomeInvalid, path.native() + " belongs to another user");
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return fail(causes::kHomeInvalid,
                    "others can write to " + path.native() + ": chmod go-w it");
    }
    return {};
}

result<void> check_directory(const fs::path& directory) {
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0) {
        return errno == ENOENT ? fail(causes::kConfigMissing, directory.native())
                               : os_failure("stat", directory, errno);
    }
    if (!S_ISDIR(status.st_mode)) {
        return fail(causes::kHomeInvalid, directory.native() + " is not a directory");
    }
    return check_owner(directory, status);
}

// A small file that its owner alone may write, whoever may read it. Of a larger one it gives one
// octet more than `bytes_max`, so that the parser can say that there is too much.
result<std::string> read_own_file(const fs::path& file, std::size_t bytes_max) {
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
        return errno == ENOENT ? fail(causes::kConfigMissing, "there is no " + file.native())
                               : os_failure("open", file, errno);
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return os_failure("stat", file, errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(causes::kHomeInvalid, file.native() + " is not a regular file");
    }
    ALKNET_CHECK(check_owner(file, status));
    std::string text(bytes_max + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno != EINTR) {
            return os_failure("read", file, errno);
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got < 0 ? 0 : got);
    }
    text.resize(size);
    return text;
}

bool present(const fs::path& file) {
    struct stat status{};
    return ::lstat(file.c_str(), &status) == 0;
}

// Makes the directory and those above it; mode 0700 for the last.
result<void> make_directory(const fs::path& directory) {
    std::error_code failure;
    if (directory.has_parent_path()) {
        fs::create_directories(directory.parent_path(), failure);
        if (failure) {
            return os_failure("mkdir", directory.parent_path(), failure.value());
        }
    }
    if (::mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
        return os_failure("mkdir", directory, errno);
    }
    return {};
}

// Somebody's own directory must not become a home by a slip of the hand.
result<void> check_room(const fs::path& directory) {
    for (const std::string_view name : {kConfigName, kKeyName, kManifestName}) {
        if (present(directory / name)) {
            return {};
        }
    }
    std::error_code failure;
    const fs::directory_iterator entries(directory, failure);
    if (failure) {
        return os_failure("read", directory, failure.value());
    }
    if (entries != fs::directory_iterator()) {
        return fail(causes::kHomeInvalid, directory.native() +
                                              " holds other files and no node; give a directory "
                                              "that is empty or not there");
    }
    return {};
}

result<void> create_secrets(const fs::path& file) {
    quic::EndpointSecrets secrets = quic::make_secrets();
    Bytes content = to_bytes(secrets.token);
    content.insert(content.end(), secrets.stateless_reset.begin(), secrets.stateless_reset.end());
    auto created = crypto::create_private_file(file, content);
    crypto::wipe(content);
    crypto::wipe(secrets.token);
    crypto::wipe(secrets.stateless_reset);
    return created;
}

std::string manifest_text(const CreateOptions& options) {
    std::string text = "# What made this directory. Not to be edited.\nformat = ";
    text.append(std::to_string(kHomeFormat)).append("\ncreated_by = \"");
    return text.append(options.program).append("\"\n");
}

result<void> check_manifest(const fs::path& directory) {
    const fs::path file = directory / kManifestName;
    auto text = read_own_file(file, kFileBytesMax);
    if (!text) {
        return text.error().is(causes::kConfigMissing)
                   ? fail(causes::kHomeInvalid,
                          "there is no " + file.native() + "; `alknet init` adds what is missing")
                   : std::unexpected(std::move(text).error());
    }
    const auto tree = parse_toml(*text);
    const auto format = tree ? (*tree)["format"].value<std::int64_t>() : std::nullopt;
    if (!format || *format < 1) {
        return fail(causes::kHomeInvalid, file.native() + " does not say which format this is");
    }
    if (*format > kHomeFormat) {
        return fail(causes::kHomeInvalid, file.native() + " says format " +
                                              std::to_string(*format) +
                                              ", which needs a newer alknet");
    }
    return {};
}

// Says which file it is, and that it belongs to the home, whatever was wrong with it.
error about_file(error failure, const fs::path& file) {
    if (failure.is(causes::kIo)) {
        return failure;
    }
    if (failure.is(causes::kConfigMissing)) {
        return error(causes::kHomeInvalid, "there is no " + file.native());
    }
    std::string detail = failure.detail();
    if (detail.find(file.native()) == std::string::npos) {
        detail = file.native() + ": " +
                 (detail.empty() ? std::string(failure.cause().what) : std::move(detail));
    }
    return error(causes::kHomeInvalid, std::move(detail));
}

}  // namespace

HomeSources HomeSources::from_environment(std::optional<fs::path> option) {
    return {.option = std::move(option),
            .alknet_home = variable("ALKNET_HOME"),
            .xdg_data_home = variable("XDG_DATA_HOME"),
            .user_home = variable("HOME")};
}

result<fs::path> choose_home(const HomeSources& sources) {
    if (sources.option && !sources.option->empty()) {
        return *sources.option;
    }
    if (!sources.alknet_home.empty()) {
        return fs::path(sources.alknet_home);
    }
    if (sources.xdg_data_home.starts_with('/')) {
        return fs::path(sources.xdg_data_home) / "alknet";
    }
    if (!sources.user_home.empty()) {
        return fs::path(sources.user_home) / ".local/share/alknet";
    }
    return fail(causes::kHomeInvalid,
                "neither --home nor ALKNET_HOME, XDG_DATA_HOME or HOME says where it is");
}

result<Home> Home::open(const fs::path& directory, std::vector<std::string> services) {
    ALKNET_CHECK(check_directory(directory));
    if (!present(directory / kConfigName)) {
        return fail(causes::kConfigMissing, "there is no " + (directory / kConfigName).native());
    }
    ALKNET_CHECK(check_manifest(directory));
    return Home(directory, std::move(services));
}

result<Created> Home::create(const fs::path& directory, const CreateOptions& options) {
    ALKNET_CHECK(make_directory(directory));
    ALKNET_CHECK(check_directory(directory));
    ALKNET_CHECK(check_room(directory));
    Created created;
    // Keeps what is there; `make` gets the path, and writes `beside` too.
    const auto provide = [&](std::string_view name, auto make,
                             std::optional<std::string_view> beside = {}) -> result<void> {
        const bool kept = present(directory / name);
        if (!kept) {
            ALKNET_CHECK(make(directory / name));
        }
        auto& files = kept ? created.kept : created.written;
        files.emplace_back(name);
        if (beside.has_value() && present(directory / *beside)) {
            files.emplace_back(*beside);
        }
        return {};
    };
    ALKNET_CHECK(
        provide(kKeyName, [](const fs::path& file) { return NodeKey::generate()->save(file); }));
    const auto make_certificate = [&](const fs::path& file) {
        return tls::make_self_signed({.chain = file, .key = directory / kCertificateKeyName},
                                     options.names);
    };
    ALKNET_CHECK(provide(kCertificateName, make_certificate, kCertificateKeyName));
    ALKNET_CHECK(provide(kSecretsName, create_secrets));
    ALKNET_CHECK(provide(kManifestName, [&](const fs::path& file) {
        return crypto::create_private_file(file, as_bytes(manifest_text(options)));
    }));
    // Last: with it the home is complete.
    ALKNET_CHECK(provide(kConfigName, [&](const fs::path& file) {
        return crypto::create_private_file(file, as_bytes(default_file(options.addresses)));
    }));
    if (created.written.empty()) {
        return fail(causes::kHomeExists, directory.native());
    }
    return created;
}

tls::CertificateFiles Home::own_certificate() const {
    return {.chain = directory_ / kCertificateName, .key = directory_ / kCertificateKeyName};
}

result<std::string> read_config_text(const fs::path& file) {
    return read_own_file(file, kFileBytesMax);
}

result<Config> Home::load_config() const {
    ALKNET_TRY(const std::string text, read_config_text(config_file()));
    return parse_config(text);
}

result<Config> Home::parse_config(std::string_view text) const {
    Parsed parsed =
        parse(text, {.file = config_file().native(), .base = directory_, .services = services_});
    if (!parsed.problems.empty()) {
        return unexpected(as_error(parsed.problems));
    }
    if (parsed.config.dynamic.certificates.empty() && present(own_certificate().chain)) {
        parsed.config.dynamic.certificates.push_back(own_certificate());
    }
    return std::move(parsed.config);
}

result<std::shared_ptr<const NodeKey>> Home::load_key(const StaticConfig& fixed) const {
    auto key = NodeKey::load(fixed.key_file);
    if (!key) {
        return unexpected(about_file(std::move(key).error(), fixed.key_file));
    }
    return key;
}

result<quic::EndpointSecrets> Home::load_secrets() const {
    const fs::path file = directory_ / kSecretsName;
    auto content = crypto::read_private_file(file);
    if (!content) {
        return unexpected(about_file(std::move(content).error(), file));
    }
    quic::EndpointSecrets secrets;
    if (content->size() != secrets.token.size() + secrets.stateless_reset.size()) {
        return fail(causes::kHomeInvalid, file.native() + " does not hold 64 octets");
    }
    const BytesView view = content->view();
    std::memcpy(secrets.token.data(), view.data(), secrets.token.size());
    std::memcpy(secrets.stateless_reset.data(), view.data() + secrets.token.size(),
                secrets.stateless_reset.size());
    return secrets;
}

result<HomeLock> Home::lock() const {
    const fs::path file = directory_ / kLockName;
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (!fd) {
        return os_failure("open", file, errno);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? fail(causes::kHomeInvalid, "another node runs in " + directory_.native())
                   : os_failure("flock", file, errno);
    }
    return HomeLock(std::move(fd));
}

}  // namespace alknet::config
