#include <alknet/identity/key_files.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/base/durable_file.hpp>
#include <alknet/base/unique_fd.hpp>
#include <alknet/crypto/private_file.hpp>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

namespace alknet::identity {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOpensshMark = "-----BEGIN OPENSSH";

/// One at a time; ends with its process. The directory is what is locked.
result<UniqueFd> lock(const KeyFiles& files) {
    const fs::path directory = files.key().parent_path();
    UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return file_fail("open", errno, directory);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? fail(causes::kStoreBusy,
                          "another alknet changes the key in " + directory.native())
                   : file_fail("lock", errno, directory);
    }
    return fd;
}

bool present(const fs::path& file) {
    struct stat status{};
    return ::lstat(file.c_str(), &status) == 0;
}

/// It need not be there.
result<void> remove_file(const fs::path& file) {
    return ::unlink(file.c_str()) == 0 || errno == ENOENT ? result<void>()
                                                          : file_fail("unlink", errno, file);
}

/// Empty if there is none.
result<std::string> read_text(const fs::path& file) {
    if (!present(file)) {
        return std::string();
    }
    ALKNET_TRY(const auto content, crypto::read_private_file(file));
    return std::string(as_text(content.view()));
}

result<std::vector<Rotation>> read_rotations(const KeyFiles& files) {
    ALKNET_TRY(const std::string text, read_text(files.rotations()));
    std::vector<Rotation> all;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        auto one = decode_rotation(rest.substr(0, end));
        if (!one || all.size() == kRotationChainMax ||
            (!all.empty() && all.back().to != one->from)) {
            return fail(causes::kKeyInvalid,
                        files.rotations().native() + " does not hold statements of a changed key");
        }
        all.push_back(*one);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return all;
}

result<void> write_rotations(const KeyFiles& files, const std::vector<Rotation>& all,
                             std::function<result<void>()> before) {
    std::string text;
    for (const Rotation& one : all) {
        text += encode_rotation(one) + "\n";
    }
    return write_durable_file(files.rotations(), as_bytes(text),
                              {.replace = true, .before_naming = std::move(before)});
}

/// Leaves the youngest whose time is not over, and room for one more.
void drop_old(std::vector<Rotation>& chain, WallTime now) {
    auto first = chain.end();
    while (first != chain.begin() && chain.end() - first < std::ptrdiff_t{kRotationChainMax} - 1 &&
           WallTime(std::chrono::seconds((first - 1)->not_after)) > now) {
        --first;
    }
    chain.erase(chain.begin(), first);
}

/// `before`, of one statement.
std::function<result<void>()> step_before(const BeforeKeyChange& before, const Rotation& rotation) {
    return [&before, &rotation]() -> result<void> {
        return before ? before(rotation) : result<void>();
    };
}

std::unexpected<error> no_next() {
    return fail(causes::kUsage, "no key is to come; make one: alknet key rotate");
}

result<void> check_form(const KeyFiles& files) {
    ALKNET_TRY(const auto content, crypto::read_private_file(files.key()));
    return as_text(content.view()).starts_with(kOpensshMark)
               ? fail(causes::kUsage,
                      files.key().native() + " is a key of OpenSSH's, which is not ours to change")
               : result<void>();
}

}  // namespace

KeyFiles::KeyFiles(const std::filesystem::path& key) {
    std::error_code failure;
    key_ = fs::canonical(key, failure);
    if (failure) {
        key_ = key;
    }
}

std::filesystem::path KeyFiles::beside(const char* ending) const {
    fs::path file = key_;
    file += ending;
    return file;
}

std::span<const Rotation> KeyState::until_key() const noexcept {
    const std::span<const Rotation> all(chain);
    return next == nullptr ? all : all.first(all.size() - 1);
}

result<KeyState> load_key_state(const KeyFiles& files) {
    KeyState state;
    ALKNET_TRY(state.key, NodeKey::load(files.key()));
    ALKNET_TRY(state.chain, read_rotations(files));
    if (!state.chain.empty() && state.chain.back().from == state.key->id()) {
        auto next = present(files.next()) ? NodeKey::load(files.next())
                                          : result<std::shared_ptr<const NodeKey>>(nullptr);
        if (!next) {
            return unexpected(std::move(next).error());
        }
        if (*next != nullptr && (*next)->id() == state.chain.back().to) {
            state.next = *std::move(next);
        } else {
            state.chain.pop_back();  // of a key that is lost
        }
    }
    if (state.next == nullptr && !state.chain.empty() && state.chain.back().to != state.key->id()) {
        state.chain.clear();  // of a key that was put in this one's place
    }
    return state;
}

result<Rotation> prepare_key(const KeyFiles& files, WallTime now, Duration overlap,
                             const BeforeKeyChange& before) {
    ALKNET_TRY(const UniqueFd held, lock(files));
    ALKNET_CHECK(check_form(files));
    ALKNET_TRY(KeyState state, load_key_state(files));
    if (state.next != nullptr) {
        return fail(causes::kUsage, "a key is to come already, " + state.next->id().fingerprint() +
                                        "; change to it: alknet key switch");
    }
    // Of somebody who was killed before there was a statement.
    ALKNET_CHECK(remove_file(files.next()));
    ALKNET_CHECK(remove_file(files.told()));
    const auto next = NodeKey::generate();
    ALKNET_TRY(Rotation rotation, make_rotation(*state.key, *next, now, overlap));
    drop_old(state.chain, now);
    state.chain.push_back(rotation);
    ALKNET_CHECK(next->save(files.next()));
    if (auto written = write_rotations(files, state.chain, step_before(before, rotation));
        !written) {
        (void)remove_file(files.next());  // else the next who makes one does it
        return unexpected(std::move(written).error());
    }
    return rotation;
}

namespace {

// With the lock held: as before switch_key, however far it came.
result<void> take_back(const KeyFiles& files, const NodeKey& old) {
    ALKNET_CHECK(remove_file(files.next()));
    if (::link(files.key().c_str(), files.next().c_str()) != 0) {
        return file_fail("link", errno, files.next());
    }
    return write_durable_file(files.key(), old.pem().view(), {.replace = true});
}

}  // namespace

result<Rotation> switch_key(const KeyFiles& files, const BeforeKeyChange& before) {
    ALKNET_TRY(const UniqueFd held, lock(files));
    ALKNET_TRY(const KeyState state, load_key_state(files));
    if (state.next == nullptr) {
        return no_next();
    }
    ALKNET_CHECK(step_before(before, state.chain.back())());
    if (::rename(files.next().c_str(), files.key().c_str()) != 0) {
        return file_fail("rename", errno, files.next());
    }
    if (::fsync(held.get()) != 0) {
        const int number = errno;
        const auto back = take_back(files, *state.key);
        auto failure = file_fail("fsync", number, files.key().parent_path());
        return back ? failure
                    : fail(failure.error().cause(),
                           failure.error().detail() + "; the key file has the new key already");
    }
    return state.chain.back();
}

result<void> take_key_back(const KeyFiles& files, const NodeKey& old) {
    ALKNET_TRY(const UniqueFd held, lock(files));
    ALKNET_TRY(const KeyState state, load_key_state(files));
    if (state.key->id() == old.id()) {
        return {};
    }
    if (state.chain.empty() || state.chain.back().from != old.id() ||
        state.chain.back().to != state.key->id()) {
        return fail(causes::kHomeInvalid, files.key().native() + " has a key of somebody else's");
    }
    return take_back(files, old);
}

result<Rotation> abandon_key(const KeyFiles& files, const BeforeKeyChange& before) {
    ALKNET_TRY(const UniqueFd held, lock(files));
    ALKNET_TRY(KeyState state, load_key_state(files));
    if (state.next == nullptr) {
        return no_next();
    }
    ALKNET_TRY(const std::string told, read_text(files.told()));
    if (told == state.next->id().fingerprint()) {
        return fail(causes::kUsage,
                    "others were told of the key to come, and will not believe this one for ever: "
                    "change to it (alknet key switch), and from it to another");
    }
    const Rotation last = state.chain.back();
    state.chain.pop_back();
    ALKNET_CHECK(write_rotations(files, state.chain, step_before(before, last)));
    ALKNET_CHECK(remove_file(files.next()));
    return last;
}

result<void> note_told(const KeyFiles& files, const NodeId& next) {
    ALKNET_TRY(const UniqueFd held, lock(files));
    ALKNET_TRY(const auto all, read_rotations(files));
    if (all.empty() || all.back().to != next || !present(files.next())) {
        return fail(causes::kUsage, "that key is not to come any more");
    }
    ALKNET_TRY(const std::string told, read_text(files.told()));
    return told == next.fingerprint()
               ? result<void>()
               : write_durable_file(files.told(), as_bytes(next.fingerprint()), {.replace = true});
}

}  // namespace alknet::identity
