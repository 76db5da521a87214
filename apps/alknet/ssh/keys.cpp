#include "keys.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/os_error.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/net/unix_socket.hpp>
#include <alknet/ssh/agent.hpp>
#include <alknet/ssh/public_key.hpp>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace alknet::app {

namespace {

namespace fs = std::filesystem;
using Signers = std::vector<std::shared_ptr<ssh::Signer>>;

constexpr std::string_view kSystemKnownHosts = "/etc/ssh/ssh_known_hosts";
constexpr std::size_t kPublicKeyBytesMax = 16 << 10;

// Empty if there is no such file, or none that we may read.
result<std::string> text_of(const fs::path& file, std::size_t bytes_max) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        return std::string();
    }
    std::string text(bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > bytes_max) {
        return fail(causes::kLimit, file.native() + " is too large");
    }
    return text;
}

task<result<Signers>> signers_of_agent(Loop& loop, std::string path) {
    if (path.empty()) {
        const char* const set = std::getenv("SSH_AUTH_SOCK");
        path = set == nullptr ? "" : set;
    }
    if (path.empty() || path == "none") {
        co_return Signers();
    }
    auto connected = net::connect_unix(loop, path);
    if (!connected) {
        co_return Signers();
    }
    auto agent = std::make_shared<ssh::Agent>(std::move(connected->stream));
    auto signers = co_await ssh::agent_signers(std::move(agent));
    if (!signers && !signers.error().is(errc::cancelled)) {
        co_return Signers();
    }
    co_return signers;
}

// Empty if there is no such file, or none of a public key.
result<Bytes> public_key_in(const fs::path& file) {
    ALKNET_TRY(const std::string line, text_of(file, kPublicKeyBytesMax));
    std::istringstream words(line);
    std::string type;
    std::string digits;
    words >> type >> digits;
    auto blob = base64_decode(digits);
    return blob ? *std::move(blob) : Bytes();
}

// The agent's that is the public half of `file`.
result<std::shared_ptr<ssh::Signer>> agent_key_of(const fs::path& file, const Signers& agent) {
    ALKNET_TRY(const Bytes blob, public_key_in(file.native() + ".pub"));
    const auto found = std::ranges::find_if(agent, [&](const auto& signer) {
        return !blob.empty() && as_text(signer->key()) == as_text(blob);
    });
    return found == agent.end() ? nullptr : *found;
}

result<std::shared_ptr<ssh::Signer>> signer_of(const fs::path& file, const Signers& agent) {
    ALKNET_TRY(auto of_agent, agent_key_of(file, agent));
    if (of_agent != nullptr) {
        return of_agent;
    }
    auto key = NodeKey::load(file);
    if (key) {
        return ssh::make_signer(*std::move(key));
    }
    if (key.error().is(causes::kConfigMissing)) {
        return fail(causes::kKeyInvalid, "there is no file " + file.native());
    }
    return fail(causes::kKeyInvalid, key.error().detail() +
                                         "; with a passphrase, or of another kind, it can be used "
                                         "through your agent: ssh-add " +
                                         file.native());
}

}  // namespace

result<fs::path> ssh_directory() {
    const char* const home = std::getenv("HOME");
    if (home == nullptr || *home != '/') {
        return fail(causes::kHomeInvalid, "$HOME names no directory, in which .ssh would be");
    }
    return fs::path(home) / ".ssh";
}

task<result<Signers>> ssh_signers(Client& client, SshKeyWishes wishes) {
    ALKNET_CO_TRY(const Signers agent, co_await signers_of_agent(client.loop(), wishes.agent));
    Signers signers;
    for (const fs::path& file : wishes.files) {
        ALKNET_CO_TRY(auto signer, signer_of(file, agent));
        signers.push_back(std::move(signer));
    }
    if (!wishes.files.empty()) {
        co_return signers;
    }
    std::vector<fs::path> files = std::move(wishes.more);
    if (const auto directory = ssh_directory(); directory && files.empty()) {
        files.push_back(*directory / "id_ed25519");
    }
    // Those that were named go first, since servers count attempts. A file with a passphrase is of
    // no use without an agent.
    for (const fs::path& file : files) {
        if (const auto signer = signer_of(file, agent)) {
            signers.push_back(*signer);
        }
    }
    for (const auto& signer : agent) {
        if (std::ranges::find(signers, signer) == signers.end()) {
            signers.push_back(signer);
        }
    }
    if (client.own_key() != nullptr) {
        signers.push_back(ssh::make_signer(client.own_key()));
    }
    co_return signers;
}

result<std::string> ssh_key_named(const std::string& name) {
    if (name.starts_with("SHA256:")) {
        return name;
    }
    ALKNET_TRY(Bytes blob, public_key_in(name + ".pub"));
    if (blob.empty()) {
        ALKNET_TRY(blob, public_key_in(name));
    }
    if (blob.empty()) {
        return fail(causes::kKeyInvalid, "neither " + name + ".pub nor " + name +
                                             " is a public key, as ssh-keygen writes it");
    }
    return ssh::digest_fingerprint(blob);
}

result<ssh::KnownHosts> load_known_hosts() {
    ssh::KnownHosts hosts;
    std::vector<fs::path> files = {fs::path(kSystemKnownHosts)};
    if (const auto directory = ssh_directory()) {
        files.push_back(*directory / "known_hosts");
    }
    for (const fs::path& file : files) {
        ALKNET_TRY(const std::string text, text_of(file, ssh::kKnownHostsBytesMax));
        ALKNET_TRY(const ssh::KnownHosts more, ssh::KnownHosts::parse(text));
        hosts.add(more);
    }
    return hosts;
}

result<void> remember_host(std::string_view host, std::uint16_t port, const NodeId& key) {
    ALKNET_TRY(const fs::path directory, ssh_directory());
    std::error_code failure;
    if (fs::create_directory(directory, failure)) {
        fs::permissions(directory, fs::perms::owner_all, failure);
    }
    const fs::path file = directory / "known_hosts";
    const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!fd) {
        return os_fail("open", errno, file.native());
    }
    std::string line = ssh::KnownHosts::line_of(host, port, key);
    char last = '\n';
    const off_t size = ::lseek(fd.get(), 0, SEEK_END);
    if (size > 0 && ::pread(fd.get(), &last, 1, size - 1) == 1 && last != '\n') {
        line.insert(line.begin(), '\n');
    }
    const ssize_t written = ::write(fd.get(), line.data(), line.size());
    return written == static_cast<ssize_t>(line.size())
               ? result<void>()
               : result<void>(os_fail("write", errno, file.native()));
}

}  // namespace alknet::app
