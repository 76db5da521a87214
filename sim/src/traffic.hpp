// Traffic: what both sides of a simulated connection do with it. Each accepts whatever streams come
// and treats them by their header; each opens streams of its own, by a plan.
#pragma once

#include <alknet/net/connection.hpp>
#include <alknet/net/network.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/task.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "ledger.hpp"

namespace alknet::sim {

/// What is done on a connection, from the side that does it.
struct Operation {
    enum class Kind : std::uint8_t {
        exchange,    // a bidirectional stream, both ways at once
        request,     // the same, the answer after the whole question
        one_way,     // a unidirectional stream
        abandon,     // a bidirectional stream that is reset half way
        datagrams,   // some datagrams, to be echoed
        key_update,  // QUIC only, the dialling side
        migrate,     // QUIC only, the dialling side: goes on from another port
        rest,        // nothing, for some time
    };
    Kind kind = Kind::exchange;
    std::uint64_t up = 0;    // octets to the other side; datagrams: how many
    std::uint64_t down = 0;  // octets back
    Duration after{};        // begins that much after the one before (rest: how long)
};

/// A plan of `count` operations.
[[nodiscard]] std::vector<Operation> make_plan(Random& random, std::size_t count,
                                               std::uint64_t bytes_max, bool quic);

struct TrafficOptions {
    std::shared_ptr<Connection> connection;
    std::vector<Operation> plan;
    /// Makes a socket to migrate to; null: none.
    std::function<std::unique_ptr<net::UdpSocket>()> make_socket;
    /// An operation of the plan has succeeded.
    std::function<void()> on_success;
    /// Errors go here; else to the ledger, which judges them.
    std::function<void(const error&)> on_failure;
    double slow_readers = 0.2;  // share of the streams that are read reluctantly
    /// The connection is one resumable stream, whatever carries it, and ends with it.
    bool resumable = false;
    Duration pace{};  // up to this long between two pieces of what is sent
    /// No operation takes longer, whatever happens to the connection.
    Duration operation_limit = std::chrono::seconds(600);
};

/// One side. Owned by the task that runs it.
class Traffic {
public:
    Traffic(Ledger& ledger, Loop& loop, TrafficOptions options);

    /// The side that dialled: carries out the plan, waits for the other side's, closes.
    task<void> lead();
    /// The side that was called: carries out its plan and serves until the connection ends.
    task<void> follow();

private:
    struct Header;
    task<void> accept_bi_streams();
    task<void> accept_uni_streams();
    task<void> receive_datagrams();
    task<void> run_plan();
    task<void> perform(Operation operation);
    task<result<void>> attempt(Operation operation);
    task<result<void>> exchange(Operation operation, bool in_turn);
    task<result<void>> one_way(Operation operation);
    task<result<void>> abandon(Operation operation);
    task<result<void>> send_datagrams(Operation operation);
    result<void> update_key();
    result<void> migrate();
    task<result<void>> say_goodbye();
    task<void> empty_buffers();
    task<void> wait_delivered();

    task<void> serve_bi(std::unique_ptr<BiStream> stream);
    task<result<void>> answer(BiStream& stream);
    task<void> serve_uni(std::unique_ptr<RecvStream> stream);
    task<result<void>> read_uni(RecvStream& stream);

    task<result<Header>> read_header(RecvStream& stream);
    task<result<void>> write_header(SendStream& stream, Header header);
    task<result<void>> send(SendStream& stream, std::uint64_t id, std::uint64_t until);
    task<result<void>> receive(RecvStream& stream, std::uint64_t id);
    task<result<void>> wait_finished(std::uint64_t id);

    void ended(std::string_view where, const error& why);

    Ledger& ledger_;
    Loop& loop_;
    TrafficOptions options_;
    Random random_;
    bool quic_;
    TaskScope scope_;
    bool plan_done_ = false;
    bool heard_ = false;  // the other side has sent something on a stream
    std::size_t running_ = 0;
    WaitList changed_;
    std::map<std::uint64_t, std::uint64_t> datagrams_seen_;  // by number: how often it came back
};

}  // namespace alknet::sim
