// StreamTable: the serving end's streams by owner and id, what they may use, and when they go.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/wait.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "resumable_connection.hpp"
#include "stream_core.hpp"
#include "stream_directory.hpp"

namespace alknet::resume {

class StreamTable;

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
    StreamTable(Loop& loop, ResumeLimits limits, std::shared_ptr<StreamDirectory> directory,
                Log log, std::shared_ptr<Metrics> metrics);
    ~StreamTable();

    void set_limits(const ResumeLimits& limits) noexcept { limits_ = limits; }
    /// Its place in the directory.
    void join(std::weak_ptr<Forwardable> handler);
    /// Where a stream lives that is not here.
    [[nodiscard]] std::optional<StreamDirectory::Elsewhere> elsewhere(const StreamKey& key) const {
        return directory_->elsewhere(key, place_);
    }
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
    void expired(Entry& entry);
    result<void> claim(const StreamKey& key, const std::string& owner);
    bool make_room(const std::string* owner);
    void count() noexcept;

    Loop& loop_;
    ResumeLimits limits_;
    std::shared_ptr<StreamDirectory> directory_;
    std::size_t place_ = 0;
    Log log_;
    std::shared_ptr<Metrics> metrics_;
    Gauge& attached_;
    Gauge& lingering_;
    MetricFamily<Counter>& resumed_;
    MetricFamily<Counter>& ended_;
    MetricFamily<Counter>& refused_;
    MetricFamily<Counter>& limit_hits_;
    bool stopping_ = false;
    std::size_t told_lingering_ = 0;  // this table's part of the gauges
    std::size_t told_attached_ = 0;
    std::map<StreamKey, std::shared_ptr<Entry>> entries_;
};

}  // namespace alknet::resume
