// TCP as programs see it: bytes that arrive in order, a window that fills, ends and resets. Loss is
// delay; segments, acknowledgements and retransmissions are not modelled one by one.
#pragma once

#include <deque>

#include "fabric.hpp"

namespace alknet::sim {

/// One connection: what is under way in each direction. Kept alive by its ends and by what is in
/// flight.
class TcpLink final : public std::enable_shared_from_this<TcpLink> {
public:
    /// Side 0 dialled, side 1 was listening.
    TcpLink(Fabric& fabric, SimHost& dialler, SimHost& listener) noexcept
        : fabric_(fabric), sides_{Side{.host = &dialler}, Side{.host = &listener}} {}

    struct Side {
        SimHost* host = nullptr;
        SimTcpEnd* end = nullptr;  // null before accept or connect has made it, and after its death
        // As receiver.
        Bytes received{};
        std::size_t read_offset = 0;
        bool fin_received = false;
        bool broken = false;  // reset, by whomever
        bool closed = false;  // the program has let go of it: what still comes is answered by RST
        bool deaf = false;    // the program reads no more: what comes is dropped
        // As sender.
        std::size_t outstanding = 0;  // written and not yet read by the peer; at most the window
        bool fin_sent = false;
        SocketAddress address{};  // as the peer sees it

        [[nodiscard]] std::size_t readable() const noexcept {
            return received.size() - read_offset;
        }
    };
    [[nodiscard]] Side& side(std::size_t index) noexcept { return sides_[index]; }

    std::size_t write(std::size_t from, BytesView data);
    std::size_t read(std::size_t at, MutableBytes into);
    void finish(std::size_t from);
    /// What was sent before may be lost; the peer learns of it after the delay of the way.
    void reset_from(std::size_t from);
    /// The socket is closed: RST if something was left unread or unfinished.
    void close(std::size_t at);
    /// Reads no more (the program called `stop`).
    void go_deaf(std::size_t at);
    /// Both ends at once, by the network.
    void break_both();
    [[nodiscard]] bool joins(const SimHost& a, const SimHost& b) const noexcept;

private:
    struct Segment {
        enum class Kind : std::uint8_t { data, fin, reset };
        Kind kind = Kind::data;
        Bytes data{};
        TimePoint arrives{};
    };
    void transmit(std::size_t from, Segment segment);
    void schedule(std::size_t from);
    void arrive(std::size_t from);
    void deliver(std::size_t to, Segment& segment);
    void give_credit(std::size_t reader, std::size_t bytes);
    void break_side(std::size_t index);

    Fabric& fabric_;
    std::array<Side, 2> sides_;
    std::array<std::deque<Segment>, 2> way_;  // by sender
    std::array<bool, 2> scheduled_{};
    std::array<TimePoint, 2> last_arrival_{};
};

/// One end, as the program holds it.
class SimTcpEnd final : public ByteStream {
public:
    SimTcpEnd(SimProcess& process, std::shared_ptr<TcpLink> link, std::size_t side);
    ~SimTcpEnd() override;

    result<std::optional<std::size_t>> try_read(MutableBytes into) override;
    result<std::size_t> try_write(BytesView data) override;
    task<result<void>> readable() override;
    task<result<void>> writable() override;
    task<result<void>> finish() override;
    void stop(std::uint64_t code) noexcept override;
    void reset(std::uint64_t code) noexcept override;

    void wake();
    /// The process crashed.
    void detach();

private:
    [[nodiscard]] TcpLink::Side& own() const noexcept { return link_->side(side_); }
    [[nodiscard]] bool may_read() const noexcept;
    [[nodiscard]] bool may_write() const noexcept;

    SimProcess& process_;
    std::shared_ptr<TcpLink> link_;
    std::size_t side_;
    WaitList changed_reading_;
    WaitList changed_writing_;
};

class SimTcpListener final : public net::TcpListener {
public:
    SimTcpListener(Fabric& fabric, SimProcess& process, SocketAddress local);
    ~SimTcpListener() override;

    task<result<net::TcpStream>> accept() override;
    [[nodiscard]] SocketAddress local_address() const noexcept override { return local_; }

    /// A new connection; only while the backlog is not full.
    void offer(net::TcpStream stream);
    [[nodiscard]] bool full() const noexcept { return backlog_.size() >= kTcpBacklogMax; }
    [[nodiscard]] SimProcess& process() noexcept { return process_; }
    void detach() noexcept;

private:
    Fabric& fabric_;
    SimProcess& process_;
    SocketAddress local_;
    bool detached_ = false;
    std::deque<net::TcpStream> backlog_;
    WaitList arrived_;
};

/// A connect in progress. The coroutine owns it; what is in flight refers to it weakly.
struct TcpAttempt {
    TcpAttempt(SimProcess& from, SocketAddress from_address, SocketAddress to) noexcept
        : process(&from), inner(from_address), remote(to) {}
    TcpAttempt(const TcpAttempt&) = delete;
    TcpAttempt& operator=(const TcpAttempt&) = delete;
    /// Resets a connection that nobody waited for.
    ~TcpAttempt();

    SimProcess* process;
    SocketAddress inner;  // the dialler's own view of its address
    SocketAddress remote;
    std::shared_ptr<TcpLink> link;  // once the other side has answered
    enum class Answer : std::uint8_t { none, accepted, refused };
    Answer answer = Answer::none;
    bool claimed = false;  // the dialler has its end
    WaitList answered;
};

/// Sends one SYN.
void send_syn(Fabric& fabric, const std::shared_ptr<TcpAttempt>& attempt);

}  // namespace alknet::sim
