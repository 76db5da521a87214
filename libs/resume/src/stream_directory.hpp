// StreamDirectory: on which loop of a node each resumable stream lives, and how many there are on
// all of them. Thread-safe.
#pragma once

#include <alknet/core/auth.hpp>
#include <alknet/net/connection.hpp>
#include <alknet/resume/frames.hpp>
#include <alknet/rt/loop.hpp>
#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace alknet::resume {

/// Ids of different keys have nothing to do with one another.
struct StreamKey {
    std::string fingerprint;
    StreamId id;
    auto operator<=>(const StreamKey&) const = default;
};

/// The connection that a transport stream belongs to, as it was when the stream said what it wants.
struct Through {
    ConnectionInfo info;
    SocketAddress remote;
    AuthContext auth;
};

/// A transport stream that came to another loop than the one that has its resumable stream.
struct Forwarded {
    std::unique_ptr<BiStream> stream;
    FrameReader reader;  // what has come already
    Resume wanted;
    Through through;
};

/// A loop's handler, for the others.
class Forwardable {
public:
    /// On its loop.
    virtual void take_over(Forwarded forwarded) = 0;

protected:
    ~Forwardable() = default;
};

class StreamDirectory {
public:
    /// A handler's place; of all that `self` refers to only its loop is used on other threads.
    std::size_t join(Loop& loop, std::weak_ptr<Forwardable> self);

    enum class Claim : std::uint8_t { made, taken, too_many, too_many_of_owner };
    struct Limits {
        std::size_t most = 0;
        std::size_t most_of_owner = 0;
    };
    /// `owner`: the identity's id; empty for all unknown keys together.
    Claim claim(const StreamKey& key, const std::string& owner, std::size_t place,
                const Limits& limits);
    void release(const StreamKey& key);

    /// Where the stream lives, if that is not `place`.
    struct Elsewhere {
        Loop& loop;
        std::weak_ptr<Forwardable> handler;
    };
    [[nodiscard]] std::optional<Elsewhere> elsewhere(const StreamKey& key, std::size_t place) const;

private:
    struct Place {
        Loop& loop;
        std::weak_ptr<Forwardable> handler;
    };
    struct Claimed {
        std::size_t place = 0;
        std::string owner;
    };

    mutable std::mutex mutex_;
    std::vector<Place> places_;
    std::map<StreamKey, Claimed> claimed_;
    std::map<std::string, std::size_t> of_owner_;
};

}  // namespace alknet::resume
