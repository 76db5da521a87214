#include "ssh_operations.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/call/typed_operation.hpp>
#include <alknet/ssh/session_table.hpp>
#include <optional>
#include <utility>

#include "inputs.hpp"
#include "live_feed.hpp"

namespace alknet::app {

namespace {

using call::Json;
using Kind = ssh::SessionEntry::Kind;

struct Source {
    Loop& loop;
    std::shared_ptr<ssh::SessionTable> table;
    std::shared_ptr<LiveFeed> feed{};  // once somebody has watched
};
using SourcePtr = std::shared_ptr<Source>;

std::int64_t age_of(const Source& source, const ssh::SessionEntry& entry) {
    return std::chrono::duration_cast<std::chrono::seconds>(source.loop.now() - entry.began)
        .count();
}

bool is_forward(Kind kind) noexcept {
    return kind != Kind::session && kind != Kind::program;
}

task<result<SshSessionList>> sessions(SourcePtr source, Nothing /*input*/) {
    SshSessionList list{.sessions = {}};
    const auto all = source->table->all();
    for (const ssh::SessionEntry& one : all) {
        if (one.kind == Kind::session) {
            list.sessions.push_back(
                {.id = one.id,
                 .peer = one.peer,
                 .fingerprint = one.fingerprint,
                 .remote = one.place,
                 .age_s = age_of(*source, one),
                 .bytes_sent = one.traffic ? one.traffic->sent.load() : 0,
                 .bytes_received = one.traffic ? one.traffic->received.load() : 0});
        }
    }
    for (const ssh::SessionEntry& one : all) {
        const auto of = std::ranges::find(list.sessions, one.session, &SshSessionInfo::id);
        if (of == list.sessions.end()) {
            continue;
        }
        of->forwards += is_forward(one.kind) ? 1 : 0;
        of->programs += one.kind == Kind::program ? 1 : 0;
    }
    co_return list;
}

task<result<SshForwardList>> forwards(SourcePtr source, Nothing /*input*/) {
    SshForwardList list{.forwards = {}};
    for (const ssh::SessionEntry& one : source->table->all()) {
        if (is_forward(one.kind)) {
            list.forwards.push_back({.id = one.id,
                                     .session = one.session,
                                     .peer = one.peer,
                                     .kind = std::string(to_string(one.kind)),
                                     .place = one.place,
                                     .age_s = age_of(*source, one)});
        }
    }
    co_return list;
}

task<result<SshClosed>> close(SourcePtr source, SshCloseInput input) {
    if (!source->table->close(input.id)) {
        co_return fail(causes::kUsage, "there is no session or forward " +
                                           std::to_string(input.id) +
                                           "; alknet sessions shows their ids");
    }
    co_return SshClosed{.closed = input.id};
}

// Nothing is kept for watchers until there is one.
task<result<void>> watch(SourcePtr source, call::CallContext context, call::ItemSink& items) {
    if (source->feed == nullptr) {
        source->feed = std::make_shared<LiveFeed>(source->loop);
        source->table->watch([feed = source->feed](const ssh::SessionEntry& one, bool began) {
            feed->keep(call::to_json(SshNews{.event = began ? "began" : "ended",
                                             .id = one.id,
                                             .session = one.session,
                                             .kind = std::string(to_string(one.kind)),
                                             .peer = one.peer,
                                             .place = one.place}));
        });
    }
    co_return co_await source->feed->watch({.after = context.resume_after}, items);
}

template <class Input, class Output>
result<void> add(call::OperationRegistry& registry, call::Operation operation,
                 std::string_view scope, const SourcePtr& source,
                 task<result<Output>> (*function)(SourcePtr, Input)) {
    ALKNET_TRY(operation.scope, identity::Scope::parse_exact(scope));
    call::set_function<Input, Output>(
        operation, [source, function](call::CallContext /*context*/, Input input) {
            return function(source, std::move(input));
        });
    return registry.add(std::move(operation));
}

call::Operation named(std::string_view name, std::string_view about, call::Operation::Kind kind) {
    call::Operation operation;
    operation.name = name;
    operation.about = about;
    operation.kind = kind;
    return operation;
}

}  // namespace

result<void> add_ssh_operations(call::OperationRegistry& registry, Loop& loop,
                                const std::shared_ptr<ssh::SessionTable>& table) {
    using OperationKind = call::Operation::Kind;
    const auto source = std::make_shared<Source>(Source{.loop = loop, .table = table});
    ALKNET_CHECK(add(registry,
                     named("ssh/sessions", "who is logged in over SSH", OperationKind::query),
                     "node:read", source, sessions));
    ALKNET_CHECK(add(registry,
                     named("ssh/forwards", "what is forwarded over SSH", OperationKind::query),
                     "node:read", source, forwards));
    ALKNET_CHECK(add(
        registry,
        named("ssh/close", "end a session of SSH, or a forward of one", OperationKind::mutation),
        "node:manage", source, close));
    call::Operation news = named("ssh/watch", "sessions and forwards of SSH, as they come and go",
                                 OperationKind::subscription);
    ALKNET_TRY(news.scope, identity::Scope::parse_exact("node:read"));
    news.input = call::compiled_schema<Nothing>(call::Direction::input);
    news.output = call::compiled_schema<SshNews>(call::Direction::output);
    news.subscribe = [source](call::CallContext context, Json /*input*/, call::ItemSink& items) {
        return watch(source, std::move(context), items);
    };
    return registry.add(std::move(news));
}

}  // namespace alknet::app
