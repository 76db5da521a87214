// One SSH connection of a server: a reader, a writer, and a task for each forwarded channel. It
// lives on one loop, and its tasks share it without locks.
#pragma once

#include <alknet/core/stream_handler.hpp>
#include <alknet/rt/loop.hpp>
#include <alknet/rt/scope.hpp>
#include <alknet/rt/wait.hpp>
#include <alknet/ssh/adapter.hpp>
#include <alknet/ssh/channels.hpp>
#include <alknet/ssh/transport.hpp>
#include <alknet/ssh/user_auth.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channel_stream.hpp"
#include "exchange_watch.hpp"
#include "forward_request.hpp"
#include "node_command.hpp"

namespace alknet::ssh {

struct ExitRequest;
struct Subsystem;

class Session final {
public:
    /// All outlive it.
    Session(Loop& loop, BiStream& stream, const StreamContext& peer, SshAdapter& adapter);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    /// `heard` is what was read of the stream before. Returns when the connection has ended; well,
    /// if the peer ended it.
    task<result<void>> run(BytesView heard = {});
    /// Ends it, with a word to the peer; at once, if it is ending already.
    void end(error why) noexcept;
    /// Looks again at what is allowed.
    void recheck() noexcept { recheck_.set(); }

private:
    struct Forward;
    struct Program;
    struct Listening;
    struct Global;
    class CommandItems;

    /// Until everything is written.
    task<result<void>> farewell();
    task<result<void>> read_all(BytesView heard);
    void take_in(BytesView octets);
    task<result<void>> take(BytesView message);
    task<result<void>> take_login(BytesView message);
    result<void> log_in(Identity identity);
    /// Whether a certificate, if there is one, is good for anything at this time.
    [[nodiscard]] bool certificate_holds() const;
    /// Whether the scope is there, and a certificate is not in the way.
    result<void> may_forward(std::string_view scope) const;
    result<void> take_event(const ChannelEvent& event);
    result<void> take_open(const ChannelEvent& event);
    result<void> take_other_request(Forward* forward, const ChannelEvent& event);
    result<void> take_global(const ChannelEvent& event);
    void take_data(Forward& forward, BytesView data);
    void take_closed(Forward& forward);
    task<void> write_all();
    task<void> watch_login();
    task<void> watch_exchanges();
    task<void> watch_identity();
    task<void> watch_certificate();
    task<void> keep_alive();
    void recheck_forwards();
    void flush() noexcept { to_write_.wake_all(); }
    void check(const result<void>& sent);
    void audit(std::string_view event, const error* why) const;

    // session_listen.cpp
    task<void> answer_globals();
    task<result<Bytes>> do_global(const Global& global);
    result<void> may_listen(const ForwardPlace& place) const;
    task<result<std::shared_ptr<Listening>>> listen(ListenRequest request);
    task<result<void>> listen_at_port(Listening& made);
    task<result<void>> listen_at_socket(Listening& made);
    task<result<void>> bind(const Listening& made, std::function<result<void>()> attempt);
    [[nodiscard]] bool listens_at(const Listening& other) const noexcept;
    void keep_listening(const std::shared_ptr<Listening>& made);
    void stop_listening(std::shared_ptr<Listening> listening);
    void prove_alive();
    task<void> await_proof(std::uint64_t reads);
    task<void> accept_all(std::shared_ptr<Listening> listening);
    void take_accepted(const std::shared_ptr<Listening>& listening, net::TcpStream accepted);
    result<ChannelId> open_forwarded(Forward& forward, const SocketAddress& from);
    task<void> serve_accepted(std::unique_ptr<Forward> owned);
    void recheck_listeners();

    // session_agent.cpp
    /// Whether programs may ask the client's agent; only those of another user than the node's.
    result<void> may_forward_agent() const;
    result<void> listen_for_agent(Program& program);
    /// Once the program runs, whose session alone may ask.
    void serve_agent(Program& program);
    void end_agent(Program& program);
    void recheck_agent(Program& program);
    [[nodiscard]] std::size_t agent_connections(const Listening& agent) const noexcept;
    /// Whether what has come there may be carried.
    result<void> may_arrive(const Listening& listening) const;

    // session_program.cpp
    result<void> take_program(ChannelId id);
    result<void> take_program_request(Forward& forward, const ChannelEvent& event);
    result<bool> take_start(Forward& forward, const ChannelEvent& event);
    result<bool> take_setting(Program& program, const ChannelEvent& event);
    result<process::RunAs> may_run(const Program& program) const;
    task<void> serve_program(std::unique_ptr<Forward> owned);
    task<result<void>> run_program(Forward& forward);
    task<result<void>> start_program(Forward& forward);
    task<result<void>> join_program(Forward& forward);
    task<result<void>> pump_input(Forward& forward);
    task<result<void>> pump_output(Forward& forward, ByteStream& from, std::uint32_t stream);
    task<result<void>> say(Forward& forward, std::string text, std::uint32_t stream);
    task<result<void>> refuse_program(Forward& forward, error why);
    result<void> end_program(Forward& forward, const ExitRequest& exit);
    void drop_input(Forward& forward);
    void recheck_program(Program& program);

    // session_subsystem.cpp
    result<void> may_use(const Subsystem& subsystem) const;
    [[nodiscard]] bool may_use_a_subsystem() const;
    [[nodiscard]] const Subsystem* find_subsystem(std::string_view name) const;
    result<bool> take_subsystem(Program& program, const ChannelEvent& event);
    task<result<void>> run_subsystem(Forward& forward);
    task<result<void>> join_subsystem(Forward& forward, ByteStream& far);

    // session_command.cpp
    result<void> may_call() const;
    [[nodiscard]] bool is_for_node(const Program& program) const;
    task<result<void>> run_command(Forward& forward);
    task<result<void>> answer_command(Forward& forward, NodeCommand command);
    task<result<call::Json>> input_of(Forward& forward, const NodeCommand& command);
    task<result<void>> print(Forward& forward, std::string text);
    static std::string in_terminal(const Forward& forward, std::string text);
    /// In the table of sessions; null: there is none. Closing it is `close`, on the loop.
    std::shared_ptr<const SessionTable::Place> note(SessionEntry::Kind kind, std::string place,
                                                    std::function<void()> close);
    std::shared_ptr<const SessionTable::Place> note(const Forward& forward);

    task<void> serve(std::unique_ptr<Forward> owned);
    task<result<std::unique_ptr<ByteStream>>> connect(Forward& forward);
    task<result<std::unique_ptr<ByteStream>>> connect_tcp(Forward& forward);
    result<std::unique_ptr<ByteStream>> connect_socket(Forward& forward);
    task<result<void>> announce(ByteStream& target) const;
    result<void> may_connect(const ForwardPlace& place) const;
    task<result<void>> carry(Forward& forward);
    task<result<void>> carry_both_ways(Forward& forward, TaskScope& pumps);
    task<result<void>> pump_down(Forward& forward);
    task<result<void>> pump_up(Forward& forward);
    task<result<void>> pump_up_or_end(Forward& forward);

    // session_stream.cpp
    [[nodiscard]] bool agrees_on_streams(const StreamBinding& binding) const;
    /// What a message about a channel ends with; empty where streams were not agreed on.
    [[nodiscard]] Bytes offer_stream(Forward& forward);
    void end_streams() noexcept;
    task<result<void>> stream_down(Forward& forward, BiStream& stream);
    task<result<void>> stream_up(Forward& forward, BiStream& stream);

    [[nodiscard]] std::size_t sendable_now(const Forward& forward) const noexcept;
    task<result<void>> may_send(Forward& forward);
    void done_with(Forward& forward, std::size_t size);

    Loop& loop_;
    BiStream& stream_;
    const StreamContext& peer_;
    SshAdapter& adapter_;
    const std::shared_ptr<const NodeKey> host_key_;  // the adapter's when this began
    Transport transport_;
    ExchangeWatch exchanges_{loop_, transport_};
    Channels channels_{transport_};
    std::optional<UserAuth> auth_;
    std::string fingerprint_;                      // with which it has logged in, or tried last
    std::optional<Identity> identity_;             // once it has
    std::optional<CertificateRules> certificate_;  // likewise; nullopt: with the key alone
    TimePoint began_;
    const std::shared_ptr<SessionTraffic> traffic_ = std::make_shared<SessionTraffic>();
    std::shared_ptr<const SessionTable::Place> entry_;
    /// Whoever would act on this from elsewhere holds it weakly.
    const std::shared_ptr<const Session*> life_ = std::make_shared<const Session*>(this);
    std::map<ChannelId, Forward*> forwards_;
    std::shared_ptr<ChannelStreams> streams_;  // null: they were not agreed on
    std::deque<Global> globals_;               // to be answered
    Event global_came_;
    std::vector<std::shared_ptr<Listening>> listening_;
    bool challenged_ = false;
    std::size_t programs_ = 0;
    bool no_more_programs_ = false;  // as the client has said
    TaskScope* tasks_ = nullptr;     // while it runs
    Cancel* reading_ = nullptr;      // while it reads
    std::optional<error> why_;       // it ends
    bool closing_ = false;
    std::size_t writing_ = 0;  // octets that the stream is being given
    WaitList to_write_;
    WaitList written_;
    TimePoint heard_;  // of the client, last
    std::uint64_t reads_ = 0;
    Event logged_in_;
    Event recheck_;
};

}  // namespace alknet::ssh
