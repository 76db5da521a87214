// StreamTable: the serving end's streams by owner and id, what they may use, and when they go.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <compare>
#include <map>
#include <memory>
#include <string>

#include "resumable_connection.hpp"
#include "stream_core.hpp"

namespace alknet::resume {

class StreamTable;

/// Ids of different keys have nothing to do with one another.
struct StreamKey {
    std::string fingerprint;
    StreamId id;
    auto operator<=>(const StreamKey&) const = default;
};

struct Entry {
    Entry(Loop& loop, StreamTable& table);

    StreamKey key;
    std::string owner;  // the identity's id; empty for an unknown key
    std::string alpn;
    Duration linger{};
    std::shared_ptr<StreamCore> core;
    std::shared_ptr<ResumableConnection> connection;  // null once its service has ended
    Cancel* link = nullptr;                           // of the transport that carries it
    WaitList unlinked;
    TimePoint detached_at;
    bool forgotten = false;
    Timer expiry;

    /// Nothing is left that a client could want but to hear that all has arrived.
    [[nodiscard]] bool is_rest() const noexcept {
        return connection == nullptr && core->state().held_bytes() == 0;
    }
};

class StreamTable {
public:
    StreamTable(Loop& loop, ResumeLimits limits, Log log, std::shared_ptr<Metrics> metrics);

    void set_limits(const ResumeLimits& limits) noexcept { limits_ = limits; }
    /// A new stream, with its core but without a connection. Errors: kLimit, kProtocol for an id
    /// that is there already.
    result<std::shared_ptr<Entry>> admit(const Open& wanted, const AuthContext& auth);
    [[nodiscard]] std::shared_ptr<Entry> find(const StreamKey& key) const;

    void attached(Entry& entry, const ConnectionInfo& through, bool again);
    void detached(Entry& entry);
    /// Its service has ended.
    void served(Entry& entry);
    /// `how`, for logs and metrics: done, expired, broken, shutdown, full.
    void forget(Entry& entry, std::string_view how);
    /// Breaks it first.
    void lose(Entry& entry, error why, std::string_view how);
    /// No stream waits for its client from now on.
    void stop();

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] std::size_t lingering() const noexcept;
    [[nodiscard]] std::size_t held_bytes() const noexcept;
    [[nodiscard]] std::size_t capacity_bytes() const noexcept;
    void refused(const Refuse& refusal, const AuthContext& auth);

private:
    friend struct Entry;
    struct Share {
        std::string_view key;
        std::size_t used;
        std::size_t most;
    };
    void expired(Entry& entry);
    bool make_room(const Share& share, const std::string* owner);
    void count() noexcept;

    Loop& loop_;
    ResumeLimits limits_;
    Log log_;
    std::shared_ptr<Metrics> metrics_;
    Gauge& attached_;
    Gauge& lingering_;
    MetricFamily<Counter>& resumed_;
    MetricFamily<Counter>& ended_;
    MetricFamily<Counter>& refused_;
    MetricFamily<Counter>& limit_hits_;
    bool stopping_ = false;
    std::map<StreamKey, std::shared_ptr<Entry>> entries_;
};

}  // namespace alknet::resume
