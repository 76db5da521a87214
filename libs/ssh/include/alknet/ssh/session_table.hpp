// SessionTable: who is logged in over SSH, and what is carried for them, on all loops.
#pragma once

#include <alknet/net/socket_address.hpp>
#include <alknet/rt/time.hpp>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::ssh {

/// What has gone through a session's own packets: counted on its loop, read on any thread.
struct SessionTraffic {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> received{0};
};

/// A session; or what is under way in one, whose `session` says which.
struct SessionEntry {
    enum class Kind : std::uint8_t {
        session,
        connect,  // a connection that the node has made
        listen,   // where the node listens
        arrival,  // a connection that has come there
        program,  // a command or a shell, or an operation
    };
    std::uint64_t id = 0;  // given by the table; none is used twice
    std::uint64_t session = 0;
    Kind kind = Kind::session;
    std::string peer;
    std::string place;  // of what is forwarded: where; of a session: from where
    std::string fingerprint;
    TimePoint began;
    std::shared_ptr<const SessionTraffic> traffic{};  // of a session
};
[[nodiscard]] std::string_view to_string(SessionEntry::Kind kind) noexcept;

/// Thread-safe.
class SessionTable final : public std::enable_shared_from_this<SessionTable> {
public:
    SessionTable() = default;
    SessionTable(const SessionTable&) = delete;
    SessionTable& operator=(const SessionTable&) = delete;

    /// Lives in the table until it is gone.
    class Place {
    public:
        Place(std::shared_ptr<SessionTable> table, std::uint64_t id) noexcept
            : table_(std::move(table)), id_(id) {}
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() { table_->remove(id_); }
        [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

    private:
        std::shared_ptr<SessionTable> table_;
        std::uint64_t id_;
    };

    /// `close` is called on any thread, perhaps more than once.
    [[nodiscard]] std::shared_ptr<const Place> add(SessionEntry entry, std::function<void()> close);
    /// In the order in which they came.
    [[nodiscard]] std::vector<SessionEntry> all() const;
    /// False: there is none of that id.
    bool close(std::uint64_t id) const;

    /// From now on told of what comes and goes, on any thread; empty: nobody is.
    void watch(std::function<void(const SessionEntry& entry, bool began)> watcher);

private:
    struct Kept {
        SessionEntry entry;
        std::function<void()> close;
    };
    using Watcher = std::function<void(const SessionEntry& entry, bool began)>;
    void remove(std::uint64_t id);

    mutable std::mutex mutex_;
    std::map<std::uint64_t, Kept> kept_;
    std::uint64_t last_ = 0;
    std::shared_ptr<const Watcher> watcher_;  // null: nobody
};

}  // namespace alknet::ssh
