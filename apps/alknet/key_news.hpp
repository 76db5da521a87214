// KeyNews: what a running node tells others of its own key.
#pragma once

#include <alknet/base/result.hpp>
#include <alknet/identity/key_files.hpp>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace alknet::app {

/// As the files were when they were read. Thread-safe.
class KeyNews {
public:
    /// Nothing to tell.
    KeyNews() = default;
    /// Errors: those of load_key_state.
    static result<std::shared_ptr<const KeyNews>> load(const identity::KeyFiles& files);

    /// That somebody is told of a key to come is written down first; if that is not possible, or it
    /// is not to come any more, it is left out. Blocks on the disk the first time.
    [[nodiscard]] std::vector<identity::Rotation> tell() const;
    [[nodiscard]] const std::vector<identity::Rotation>& chain() const noexcept { return chain_; }
    /// Whose node runs is of interest to whoever changes the key beneath it.
    [[nodiscard]] const std::optional<NodeId>& next() const noexcept { return next_; }

private:
    std::optional<identity::KeyFiles> files_;
    std::vector<identity::Rotation> chain_;
    std::optional<NodeId> next_;
    mutable std::atomic<bool> told_ = false;
};

}  // namespace alknet::app
