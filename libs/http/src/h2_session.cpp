#include "h2_session.hpp"

#include <nghttp2/nghttp2.h>
#include <algorithm>
#include <alknet/base/causes.hpp>
#include <array>
#include <deque>
#include <map>
#include <vector>

#include "head_builder.hpp"
#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::uint32_t kStreamWindow = 64 << 10;
constexpr std::int32_t kConnectionWindow = 256 << 10;
constexpr std::int32_t kPiece = 16 << 10;
constexpr std::size_t kOutboundAcksMax = 100;
constexpr std::size_t kSettingsMax = 32;
constexpr std::size_t kContinuationsMax = 8;
/// Frames for each stream that may wait for a client to read: 100, the response, its trailer,
/// credit, a reset.
constexpr std::size_t kOutboundFramesPerStream = 5;

std::string_view view(const std::uint8_t* octets, std::size_t size) {
    return as_text(view_octets(octets, size));
}

/// The ids that a client went past, whose streams are closed though they never were open (RFC 9113
/// section 5.1.1). nghttp2 takes a head on one of them for one that crossed a reset, and drops it.
class SkippedStreams {
public:
    /// A head has begun there. False: on a stream that was gone past.
    bool begin(std::int32_t stream) {
        if (stream > last_) {
            if (stream > last_ + 2) {
                gaps_.push_back({last_ + 2, stream - 2});
            }
            if (gaps_.size() > kGapsMax) {
                gaps_.pop_front();
            }
            last_ = stream;
            return true;
        }
        return std::ranges::none_of(
            gaps_, [stream](const Gap& gap) { return gap.first <= stream && stream <= gap.last; });
    }

private:
    /// Clients count on by two: those that leave many gaps are let off the oldest.
    static constexpr std::size_t kGapsMax = 16;
    struct Gap {
        std::int32_t first;
        std::int32_t last;
    };
    std::int32_t last_ = -1;
    std::deque<Gap> gaps_;
};

class Session final : public H2Session {
public:
    Session(const MessageLimits& limits, H2Events& events) : limits_(limits), events_(events) {}
    ~Session() override { nghttp2_session_del(native_); }

    result<void> open(const ConnectionLimits& limits);
    result<void> receive(BytesView octets) override;
    result<BytesView> send() override;
    void respond(std::int32_t stream, int status, const Fields& fields,
                 std::optional<std::uint64_t> length, bool has_content) override;
    void respond_continue(std::int32_t stream) override;
    void resume(std::int32_t stream) override {
        (void)nghttp2_session_resume_data(native_, stream);
    }
    void consumed(std::int32_t stream, std::size_t octets, bool closed) override {
        (void)(closed ? nghttp2_session_consume_connection(native_, octets)
                      : nghttp2_session_consume(native_, stream, octets));
    }
    [[nodiscard]] bool may_send() const override {
        const std::int32_t used = nghttp2_session_get_effective_recv_data_length(native_);
        return nghttp2_session_get_effective_local_window_size(native_) - used >= kPiece;
    }
    void reset(std::int32_t stream, std::uint32_t code) override {
        (void)nghttp2_submit_rst_stream(native_, NGHTTP2_FLAG_NONE, stream, code);
    }
    void go_away(std::uint32_t code) override {
        const std::int32_t last = nghttp2_session_get_last_proc_stream_id(native_);
        (void)nghttp2_submit_goaway(native_, NGHTTP2_FLAG_NONE, last, code, nullptr, 0);
    }
    [[nodiscard]] bool done() const override {
        return nghttp2_session_want_read(native_) == 0 && nghttp2_session_want_write(native_) == 0;
    }

private:
    static Session& self(void* data) { return *static_cast<Session*>(data); }
    static void set_callbacks(nghttp2_session_callbacks* callbacks);
    static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* data);
    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* data);
    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t flags, void* data);
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* data);
    static int on_data(nghttp2_session*, std::uint8_t flags, std::int32_t stream,
                       const std::uint8_t* octets, std::size_t size, void* data);
    static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* data);
    static ssize_t read_content(nghttp2_session*, std::int32_t stream, std::uint8_t* into,
                                std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                                void* data);

    void finish_head(std::int32_t stream, bool has_body);
    void finish_content(std::int32_t stream, std::uint32_t& flags);

    const MessageLimits limits_;
    H2Events& events_;
    nghttp2_session* native_ = nullptr;
    std::map<std::int32_t, HeadBuilder> arriving_;  // heads
    SkippedStreams skipped_;
    std::size_t idle_frames_ = 0;
    std::size_t outbound_max_ = 0;
};

result<void> Session::open(const ConnectionLimits& limits) {
    outbound_max_ = kOutboundFramesPerStream * limits.streams_max + kOutboundAcksMax;
    nghttp2_option* option = nullptr;
    nghttp2_session_callbacks* callbacks = nullptr;
    bool opened =
        nghttp2_option_new(&option) == 0 && nghttp2_session_callbacks_new(&callbacks) == 0;
    if (opened) {
        set_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_max_outbound_ack(option, kOutboundAcksMax);
        nghttp2_option_set_max_settings(option, kSettingsMax);
        nghttp2_option_set_max_continuations(option, kContinuationsMax);
        nghttp2_option_set_stream_reset_rate_limit(option, limits.resets_burst,
                                                   limits.resets_per_second);
        opened = nghttp2_session_server_new2(&native_, callbacks, this, option) == 0;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    const std::array settings = {
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams_max},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                               static_cast<std::uint32_t>(limits_.header_bytes_max)},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    opened = opened &&
             nghttp2_submit_settings(native_, NGHTTP2_FLAG_NONE, settings.data(),
                                     settings.size()) == 0 &&
             nghttp2_session_set_local_window_size(native_, NGHTTP2_FLAG_NONE, 0,
                                                   kConnectionWindow) == 0;
    return opened ? result<void>() : fail(causes::kInternal, "HTTP/2 cannot begin");
}

void Session::set_callbacks(nghttp2_session_callbacks* callbacks) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}

result<void> Session::receive(BytesView octets) {
    const ssize_t taken = nghttp2_session_mem_recv(native_, alknet::octets(octets), octets.size());
    // Streams beyond the limit are refused without a callback until our SETTINGS are acknowledged.
    const bool unread = nghttp2_session_get_outbound_queue_size(native_) > outbound_max_;
    if (taken == NGHTTP2_ERR_FLOODED || idle_frames_ > kIdleFramesMax || unread) {
        (void)nghttp2_session_terminate_session(native_, NGHTTP2_ENHANCE_YOUR_CALM);
        return fail(causes::kLimit, "a flood of HTTP/2 frames");
    }
    if (taken < 0) {
        (void)nghttp2_session_terminate_session(native_, NGHTTP2_PROTOCOL_ERROR);
        return fail(causes::kProtocol, nghttp2_strerror(static_cast<int>(taken)));
    }
    return {};
}

result<BytesView> Session::send() {
    const std::uint8_t* octets = nullptr;
    const ssize_t size = nghttp2_session_mem_send(native_, &octets);
    if (size < 0) {
        return fail(causes::kInternal, nghttp2_strerror(static_cast<int>(size)));
    }
    return view_octets(octets, static_cast<std::size_t>(size));
}

int Session::on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* data) {
    const bool client_stream = frame->stream_id % 2 == 1;
    if (frame->type == NGHTTP2_HEADERS && client_stream &&
        !self(data).skipped_.begin(frame->stream_id)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

int Session::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    Session& session = self(data);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        session.arriving_.emplace(frame->hd.stream_id,
                                  HeadBuilder(session.limits_, Version::http2));
    }
    return 0;
}

int Session::on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* data) {
    Session& session = self(data);
    const auto found = session.arriving_.find(frame->hd.stream_id);
    if (found != session.arriving_.end()) {
        found->second.take(view(name, name_size), view(value, value_size));
    } else {
        session.events_.on_trailer(frame->hd.stream_id, view(name, name_size),
                                   view(value, value_size));
    }
    return 0;
}

void Session::finish_head(std::int32_t stream, bool has_body) {
    auto node = arriving_.extract(stream);
    if (node.empty()) {
        return;
    }
    RequestHead head = node.mapped().finish(has_body);
    idle_frames_ = 0;
    events_.on_request(stream, std::move(head), node.mapped().refusal());
}

int Session::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* data) {
    Session& session = self(data);
    const std::int32_t stream = frame->hd.stream_id;
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    ++session.idle_frames_;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        session.finish_head(stream, !end);
    }
    if (end && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
        session.events_.on_request_end(stream);
    }
    return session.idle_frames_ > kIdleFramesMax ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int Session::on_data(nghttp2_session*, std::uint8_t, std::int32_t stream,
                     const std::uint8_t* octets, std::size_t size, void* data) {
    Session& session = self(data);
    session.idle_frames_ = 0;
    session.events_.on_data(stream, view_octets(octets, size));
    return 0;
}

int Session::on_close(nghttp2_session*, std::int32_t stream, std::uint32_t, void* data) {
    Session& session = self(data);
    session.arriving_.erase(stream);
    session.events_.on_close(stream);
    return 0;
}

// nghttp2 copies what it is given, and writes nothing.
nghttp2_nv pair_of(std::string_view name, std::string_view value) {
    return {.name = const_cast<std::uint8_t*>(octets(as_bytes(name))),
            .value = const_cast<std::uint8_t*>(octets(as_bytes(value))),
            .namelen = name.size(),
            .valuelen = value.size(),
            .flags = NGHTTP2_NV_FLAG_NONE};
}

// The end of the stream is that of what follows the content, if anything does.
void Session::finish_content(std::int32_t stream, std::uint32_t& flags) {
    const Fields fields = events_.on_send_end(stream);
    std::vector<nghttp2_nv> pairs;
    for (const FieldView& field : sent_trailers(fields)) {
        pairs.push_back(pair_of(field.name, field.value));
    }
    if (!pairs.empty() &&
        nghttp2_submit_trailer(native_, stream, pairs.data(), pairs.size()) == 0) {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
}

ssize_t Session::read_content(nghttp2_session*, std::int32_t stream, std::uint8_t* into,
                              std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                              void* data) {
    bool end = false;
    const MutableBytes room(reinterpret_cast<std::byte*>(into), size);
    Session& session = self(data);
    const auto count = session.events_.on_send(stream, room, end);
    if (!count) {
        return NGHTTP2_ERR_DEFERRED;
    }
    // A client that only downloads sends nothing but credit.
    if (*count > 0) {
        session.idle_frames_ = 0;
    }
    if (end) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        session.finish_content(stream, *flags);
    }
    return static_cast<ssize_t>(*count);
}

void Session::respond(std::int32_t stream, int status, const Fields& fields,
                      std::optional<std::uint64_t> length, bool has_content) {
    const std::string status_text = std::to_string(status);
    const std::string length_text = length ? std::to_string(*length) : "";
    std::vector<nghttp2_nv> pairs{pair_of(":status", status_text)};
    for (const FieldView& field : framed_fields(fields)) {
        pairs.push_back(pair_of(field.name, field.value));
    }
    if (length && status >= 200 && status != 204) {
        pairs.push_back(pair_of("content-length", length_text));
    }
    nghttp2_data_provider content{};
    content.read_callback = read_content;
    (void)nghttp2_submit_response(native_, stream, pairs.data(), pairs.size(),
                                  has_content ? &content : nullptr);
}

void Session::respond_continue(std::int32_t stream) {
    const nghttp2_nv status = pair_of(":status", "100");
    (void)nghttp2_submit_headers(native_, NGHTTP2_FLAG_NONE, stream, nullptr, &status, 1, nullptr);
}

}  // namespace

result<std::unique_ptr<H2Session>> H2Session::create(const Limits& limits, H2Events& events) {
    auto session = std::make_unique<Session>(limits.message, events);
    ALKNET_CHECK(session->open(limits.connection));
    return session;
}

}  // namespace alknet::http
