// A node's key, and what stands beside it while it is changed for another. Every file is written as
// a whole; whoever is killed on the way leaves the old state or the new one. Everything here
// blocks.
//
//   KEY            the key
//   KEY.next       the key to come, once there is a statement of it
//   KEY.rotations  statements, one on a line, the newest last; made by KEY's owner and public
//   KEY.told       the fingerprint of the key to come, once somebody was told of it
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/identity/rotation.hpp>
#include <alknet/rt/time.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace alknet::identity {

/// A value: paths.
class KeyFiles {
public:
    /// `key` may be a symbolic link.
    explicit KeyFiles(const std::filesystem::path& key);

    [[nodiscard]] const std::filesystem::path& key() const noexcept { return key_; }
    [[nodiscard]] std::filesystem::path next() const { return beside(".next"); }
    [[nodiscard]] std::filesystem::path rotations() const { return beside(".rotations"); }
    [[nodiscard]] std::filesystem::path told() const { return beside(".told"); }

private:
    [[nodiscard]] std::filesystem::path beside(const char* ending) const;
    std::filesystem::path key_;
};

struct KeyState {
    std::shared_ptr<const NodeKey> key;
    std::shared_ptr<const NodeKey> next;  // null: none is to come
    /// Each begins with the key that the one before it has led to; the last leads to `next` if
    /// there is one, else to `key`. Their times may be over. kRotationChainMax at most.
    std::vector<Rotation> chain;

    /// What leads to `key` alone.
    [[nodiscard]] std::span<const Rotation> until_key() const noexcept;
};

/// Statements that lead to another key are none. Errors: those of NodeKey::load; kKeyInvalid for
/// statements that cannot be read; kIo.
result<KeyState> load_key_state(const KeyFiles& files);

/// Called with the statement when all that is left of a change is to give a file its name, for
/// whoever writes down what happens. Its error is given back, and then nothing has changed.
using BeforeKeyChange = std::function<result<void>(const Rotation&)>;

/// Makes the key to come, and the statement of it that holds from `now` on. Errors: kUsage if there
/// is one already, or the key is in a form that is not written; kStoreBusy while somebody else
/// changes it; those of load_key_state, make_rotation, `before` and write_durable_file.
result<Rotation> prepare_key(const KeyFiles& files, WallTime now, Duration overlap,
                             const BeforeKeyChange& before = {});

/// The key to come is the key from then on, and the old one is gone. Errors: kUsage if there is
/// none; kStoreBusy; kIo and those of a disk; those of `before`. With an error the key is the old
/// one, unless the detail says otherwise.
result<Rotation> switch_key(const KeyFiles& files, const BeforeKeyChange& before = {});

/// Makes the key that `switch_key` has put there the key to come again, and `old` the key. Nothing
/// happens where `old` is the key. Errors: kHomeInvalid where no statement leads from the one to
/// the other; kStoreBusy; kIo and those of a disk.
result<void> take_key_back(const KeyFiles& files, const NodeKey& old);

/// No key is to come from then on. Errors: kUsage if there is none, or somebody was told of it;
/// kStoreBusy; kIo and those of a disk; those of `before`.
result<Rotation> abandon_key(const KeyFiles& files, const BeforeKeyChange& before = {});

/// Remembers that somebody is told of the key to come, before they are. Errors: kUsage if that is
/// not the key to come (any more); kStoreBusy; kIo and those of a disk.
result<void> note_told(const KeyFiles& files, const NodeId& next);

}  // namespace alknet::identity
