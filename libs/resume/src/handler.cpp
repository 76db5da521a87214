#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/resume/handler.hpp>
#include <alknet/rt/combine.hpp>
#include <alknet/rt/scope.hpp>

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

class Handler final : public ResumeHandler {
public:
    Handler(Loop& loop, ResumeHandlerOptions options)
        : options_(std::move(options)),
          table_(loop, options_.limits, options_.log,
                 options_.metrics ? options_.metrics : std::make_shared<Metrics>()),
          serving_(loop) {
        ALKNET_ASSERT(options_.serve != nullptr);
    }

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
    task<result<void>> open(BiStream& stream, FrameReader& reader, const StreamContext& context,
                            Open wanted);
    task<result<void>> resume(BiStream& stream, FrameReader& reader, const StreamContext& context,
                              Resume wanted);
    task<result<void>> carry(std::shared_ptr<Entry> entry, BiStream& stream, FrameReader& reader,
                             const StreamContext& context, Position peer, bool again);
    task<result<void>> refuse(BiStream& stream, const StreamContext& context, error why);
    task<void> serve(std::shared_ptr<Entry> entry);
    [[nodiscard]] result<void> allowed(std::uint8_t version, std::string_view alpn,
                                       const StreamContext& context) const;

    ResumeHandlerOptions options_;
    StreamTable table_;
    TaskScope serving_;  // last: its tasks use the rest
};

task<result<void>> Handler::handle_stream(BiStream& stream, const StreamContext& context) {
    if (context.auth.peer.kind == PeerIdentity::Kind::none) {
        co_return co_await refuse(
            stream, context, error(causes::kAuthRequired, "a resumable stream belongs to a key"));
    }
    FrameReader reader;
    auto first = co_await with_timeout(kFirstFrameTimeout, read_frame(stream, reader));
    if (!first) {
        co_return unexpected(std::move(first).error());
    }
    if (auto* wanted = std::get_if<Open>(&*first)) {
        co_return co_await open(stream, reader, context, std::move(*wanted));
    }
    if (auto* wanted = std::get_if<Resume>(&*first)) {
        co_return co_await resume(stream, reader, context, *wanted);
    }
    co_return fail(causes::kProtocol, "neither OPEN nor RESUME");
}

result<void> Handler::allowed(std::uint8_t version, std::string_view alpn,
                              const StreamContext& context) const {
    if (version != kVersion) {
        return fail(causes::kProtocol, "version 1 is spoken here");
    }
    if (alpn == kResumeAlpn) {
        return fail(causes::kForbidden, "a resumable stream in another");
    }
    return options_.may_open ? options_.may_open(alpn, context.connection->info()) : result<void>{};
}

task<result<void>> Handler::open(BiStream& stream, FrameReader& reader,
                                 const StreamContext& context, Open wanted) {
    if (auto may = allowed(wanted.version, wanted.alpn, context); !may) {
        co_return co_await refuse(stream, context, std::move(may).error());
    }
    auto admitted = table_.admit(wanted, context.auth);
    if (!admitted) {
        co_return co_await refuse(stream, context, std::move(admitted).error());
    }
    const std::shared_ptr<Entry> entry = std::move(*admitted);
    ConnectionInfo info = context.connection->info();
    info.alpn = wanted.alpn;
    entry->connection = ResumableConnection::create(entry->core, std::move(info));
    serving_.spawn(serve(entry), wanted.alpn);
    co_return co_await carry(entry, stream, reader, context,
                             {.received = 0, .limit = wanted.ring_bytes}, false);
}

task<result<void>> Handler::resume(BiStream& stream, FrameReader& reader,
                                   const StreamContext& context, Resume wanted) {
    const StreamKey key{context.auth.peer.fingerprint(), wanted.id};
    const std::shared_ptr<Entry> entry = table_.find(key);
    if (entry == nullptr) {
        co_return co_await refuse(stream, context, error(causes::kResumeUnknown));
    }
    if (auto may = allowed(wanted.version, entry->alpn, context); !may) {
        co_return co_await refuse(stream, context, std::move(may).error());
    }
    while (entry->link != nullptr) {  // the client knows of a loss before this end does
        entry->link->request();
        ALKNET_CO_CHECK(co_await entry->unlinked.wait());
    }
    if (entry->forgotten) {
        co_return co_await refuse(stream, context, error(causes::kResumeUnknown));
    }
    co_return co_await carry(entry, stream, reader, context, wanted.position, true);
}

task<result<void>> Handler::carry(std::shared_ptr<Entry> entry, BiStream& stream,
                                  FrameReader& reader, const StreamContext& context, Position peer,
                                  bool again) {
    const TaskContext running = co_await current_context();
    Linked linked(table_, entry, running.cancel);
    table_.attached(*entry, context.connection->info(), again);
    if (entry->connection != nullptr) {
        entry->connection->set_remote(context.connection->remote());
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

task<result<void>> Handler::refuse(BiStream& stream, const StreamContext& context, error why) {
    Refuse refusal = make_refusal(why);
    table_.refused(refusal, context.auth);
    ALKNET_CO_CHECK(co_await write_frame(stream, std::move(refusal)));
    co_return co_await stream.finish();
}

task<void> Handler::serve(std::shared_ptr<Entry> entry) {
    co_await options_.serve(entry->connection);
    table_.served(*entry);
}

}  // namespace

std::shared_ptr<ResumeHandler> ResumeHandler::create(Loop& loop, ResumeHandlerOptions options) {
    return std::make_shared<Handler>(loop, std::move(options));
}

}  // namespace alknet::resume
