#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/net/loop_bridge.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/race.hpp>
#include <alknet/rt/scope.hpp>
#include <exception>

#include "refusal.hpp"
#include "stream_table.hpp"

namespace alknet::resume {

namespace {

/// A transport carries the stream as long as this lives.
class Linked {
public:
    Linked(StreamTable& table, std::shared_ptr<Entry> entry, Cancel* parent)
        : table_(table), entry_(std::move(entry)), cancel_(parent) {
        entry_->link = &cancel_;
    }
    Linked(const Linked&) = delete;
    Linked& operator=(const Linked&) = delete;
    ~Linked() {
        entry_->link = nullptr;
        entry_->core->state().detach();
        entry_->unlinked.wake_all();
        table_.detached(*entry_);
    }
    [[nodiscard]] Cancel& token() noexcept { return cancel_; }

private:
    StreamTable& table_;
    std::shared_ptr<Entry> entry_;
    Cancel cancel_;
};

class Handler final : public ResumeHandler, public Forwardable {
public:
    Handler(Loop& loop, ResumeHandlerOptions options)
        : options_(std::move(options)),
          loop_(loop),
          table_(loop, options_.limits,
                 options_.directory ? options_.directory : make_stream_directory(), options_.log,
                 options_.metrics ? options_.metrics : std::make_shared<Metrics>()),
          serving_(loop) {
        ALKNET_ASSERT(options_.serve != nullptr);
    }
    void join(std::weak_ptr<Forwardable> self) { table_.join(std::move(self)); }
    void take_over(Forwarded forwarded) override;

    task<void> shutdown() override {
        table_.stop();
        co_await StreamHandler::shutdown();
    }
    void set_limits(const ResumeLimits& limits) override { table_.set_limits(limits); }
    [[nodiscard]] std::size_t streams() const noexcept override { return table_.size(); }
    [[nodiscard]] std::size_t lingering() const noexcept override { return table_.lingering(); }
    [[nodiscard]] std::size_t held_bytes() const noexcept override { return table_.held_bytes(); }
    [[nodiscard]] std::size_t capacity_bytes() const noexcept override {
        return table_.capacity_bytes();
    }

private:
    task<result<void>> handle_stream(BiStream& stream, const StreamContext& context) override;
    task<result<void>> open(BiStream& stream, FrameReader& reader, const Through& through,
                            Open wanted);
    task<result<void>> resume(BiStream& stream, FrameReader& reader, const Through& through,
                              Resume wanted);
    task<result<void>> forward(BiStream& stream, FrameReader reader, const Through& through,
                               Resume wanted, StreamDirectory::Elsewhere there);
    task<void> serve_forwarded(std::shared_ptr<Forwarded> forwarded);
    task<result<void>> carry(std::shared_ptr<Entry> entry, BiStream& stream, FrameReader& reader,
                             const Through& through, Position peer, bool again);
    task<result<void>> refuse(BiStream& stream, const Through& through, error why);
    task<void> serve(std::shared_ptr<Entry> entry);
    [[nodiscard]] result<void> allowed(std::uint8_t version, std::string_view alpn,
                                       const Through& through) const;

    ResumeHandlerOptions options_;
    Loop& loop_;
    StreamTable table_;
    TaskScope serving_;  // last: its tasks use the rest
};

task<result<void>> Handler::handle_stream(BiStream& stream, const StreamContext& context) {
    const Through through{.info = context.connection->info(),
                          .remote = context.connection->remote(),
                          .auth = context.auth};
    if (context.auth.peer.kind == PeerIdentity::Kind::none) {
        co_return co_await refuse(
            stream, through, error(causes::kAuthRequired, "a resumable stream belongs to a key"));
    }
    FrameReader reader;
    auto first = co_await with_timeout(kFirstFrameTimeout, read_frame(stream, reader));
    if (!first) {
        co_return unexpected(std::move(first).error());
    }
    if (auto* wanted = std::get_if<Open>(&*first)) {
        co_return co_await open(stream, reader, through, std::move(*wanted));
    }
    if (auto* wanted = std::get_if<Resume>(&*first)) {
        auto there = table_.elsewhere({context.auth.peer.fingerprint(), wanted->id});
        if (there) {
            co_return co_await forward(stream, std::move(reader), through, *wanted,
                                       std::move(*there));
        }
        co_return co_await resume(stream, reader, through, *wanted);
    }
    co_return fail(causes::kProtocol, "neither OPEN nor RESUME");
}

// ---- between loops

task<result<void>> copy(BiStream& from, BiStream& to) {
    Bytes buffer(StreamCore::kBatchBytes);
    for (;;) {
        ALKNET_CO_TRY(const std::size_t size, co_await from.read(buffer));
        if (size == 0) {
            co_return co_await to.finish();
        }
        ALKNET_CO_CHECK(co_await to.write(BytesView(buffer).first(size)));
    }
}

// The client's end is no reason to stop listening to the other loop.
task<result<void>> copy_until_it_fails(BiStream& from, BiStream& to) {
    ALKNET_CO_CHECK(co_await copy(from, to));
    Event never;
    co_return co_await never.wait();
}

task<result<void>> Handler::forward(BiStream& stream, FrameReader reader, const Through& through,
                                    Resume wanted, StreamDirectory::Elsewhere there) {
    net::LoopBridge bridge = net::make_loop_bridge(loop_, there.loop);
    auto parcel = std::make_shared<Forwarded>();
    parcel->stream = std::move(bridge.far);
    parcel->reader = std::move(reader);
    parcel->wanted = wanted;
    parcel->through = through;
    there.loop.post([parcel = std::move(parcel), handler = std::move(there.handler)] {
        if (const auto alive = handler.lock()) {
            alive->take_over(std::move(*parcel));
        }
    });
    std::vector<task<result<void>>> works;
    works.push_back(copy_until_it_fails(stream, *bridge.near));
    works.push_back(copy(*bridge.near, stream));
    Raced<void> first = co_await race(std::move(works));
    if (!first.outcome && first.outcome.error().is(causes::kClosed)) {
        co_return result<void>{};  // a loss like any other
    }
    co_return std::move(first.outcome);
}

void Handler::take_over(Forwarded forwarded) {
    serving_.spawn(serve_forwarded(std::make_shared<Forwarded>(std::move(forwarded))),
                   "resume.forwarded");
}

task<void> Handler::serve_forwarded(std::shared_ptr<Forwarded> forwarded) {
    result<void> outcome;
    try {
        outcome = co_await resume(*forwarded->stream, forwarded->reader, forwarded->through,
                                  forwarded->wanted);
    } catch (const std::exception& bug) {  // costs this stream, and none of the others on this loop
        options_.log.error("handler.failed",
                           {{"remote_addr", forwarded->through.remote.to_string()},
                            {"alpn", kResumeAlpn},
                            {"detail", bug.what()}});
        outcome = fail(causes::kInternal, bug.what());
    }
    if (!outcome) {
        const std::uint64_t code = close_code(outcome.error());
        forwarded->stream->stop(code);
        forwarded->stream->reset(code);
    }
}

result<void> Handler::allowed(std::uint8_t version, std::string_view alpn,
                              const Through& through) const {
    if (version != kVersion) {
        return fail(causes::kProtocol, "version 1 is spoken here");
    }
    if (alpn == kResumeAlpn) {
        return fail(causes::kForbidden, "a resumable stream in another");
    }
    return options_.may_open ? options_.may_open(alpn, through.info) : result<void>{};
}

task<result<void>> Handler::open(BiStream& stream, FrameReader& reader, const Through& through,
                                 Open wanted) {
    if (auto may = allowed(wanted.version, wanted.alpn, through); !may) {
        co_return co_await refuse(stream, through, std::move(may).error());
    }
    auto admitted = table_.admit(wanted, through.auth);
    if (!admitted) {
        co_return co_await refuse(stream, through, std::move(admitted).error());
    }
    const std::shared_ptr<Entry> entry = std::move(*admitted);
    ConnectionInfo info = through.info;
    info.alpn = wanted.alpn;
    entry->connection = ResumableConnection::create(entry->core, std::move(info));
    serving_.spawn(serve(entry), wanted.alpn);
    co_return co_await carry(entry, stream, reader, through,
                             {.received = 0, .limit = wanted.ring_bytes}, false);
}

task<result<void>> Handler::resume(BiStream& stream, FrameReader& reader, const Through& through,
                                   Resume wanted) {
    const StreamKey key{through.auth.peer.fingerprint(), wanted.id};
    const std::shared_ptr<Entry> entry = table_.find(key);
    if (entry == nullptr) {
        co_return co_await refuse(stream, through, error(causes::kResumeUnknown));
    }
    if (auto may = allowed(wanted.version, entry->alpn, through); !may) {
        co_return co_await refuse(stream, through, std::move(may).error());
    }
    while (entry->link != nullptr) {  // the client knows of a loss before this end does
        entry->link->request();
        ALKNET_CO_CHECK(co_await entry->unlinked.wait());
    }
    if (entry->forgotten) {
        co_return co_await refuse(stream, through, error(causes::kResumeUnknown));
    }
    co_return co_await carry(entry, stream, reader, through, wanted.position, true);
}

task<result<void>> Handler::carry(std::shared_ptr<Entry> entry, BiStream& stream,
                                  FrameReader& reader, const Through& through, Position peer,
                                  bool again) {
    const TaskContext running = co_await current_context();
    Linked linked(table_, entry, running.cancel);
    table_.attached(*entry, through.info, again);
    if (entry->connection != nullptr) {
        entry->connection->set_remote(through.remote);
    }
    StreamCore& core = *entry->core;
    if (auto attached = core.state().attach(peer); !attached) {
        table_.lose(*entry, attached.error(), "broken");
        co_return attached;
    }
    const auto linger = std::chrono::duration_cast<std::chrono::seconds>(entry->linger).count();
    auto saying =
        write_frame(stream, Accept{core.state().tell(), static_cast<std::uint32_t>(linger)});
    const auto accepted = co_await std::move(saying).under(linked.token());
    if (!accepted) {
        co_return result<void>{};  // a loss like any other
    }
    auto pumped = co_await core.pump(stream, reader, {}).under(linked.token());
    if (pumped) {
        core.settle();
        table_.forget(*entry, "done");
    } else if (core.violated()) {
        table_.lose(*entry, pumped.error(), "broken");
        co_return pumped;
    }
    co_return result<void>{};
}

task<result<void>> Handler::refuse(BiStream& stream, const Through& through, error why) {
    Refuse refusal = make_refusal(why);
    table_.refused(refusal, through.auth);
    ALKNET_CO_CHECK(co_await write_frame(stream, std::move(refusal)));
    co_return co_await stream.finish();
}

task<void> Handler::serve(std::shared_ptr<Entry> entry) {
    co_await options_.serve(entry->connection);
    table_.served(*entry);
}

}  // namespace

std::shared_ptr<ResumeHandler> ResumeHandler::create(Loop& loop, ResumeHandlerOptions options) {
    auto handler = std::make_shared<Handler>(loop, std::move(options));
    handler->join(handler);
    return handler;
}

}  // namespace alknet::resume
