#include "h3_session.hpp"

#include <nghttp3/nghttp3.h>
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <map>
#include <string>

#include "h3_varint.hpp"
#include "head_builder.hpp"
#include "request_rules.hpp"

namespace alknet::http {

namespace {

constexpr std::uint8_t kControlType = 0;
constexpr std::uint8_t kSettingsType = 4;

std::string_view view(const nghttp3_rcbuf* buffer) {
    const nghttp3_vec octets = nghttp3_rcbuf_get_buf(buffer);
    return as_text(view_octets(octets.base, octets.len));
}

/// Of the frame that `octets` begin with; more than there are, if not even that is known.
std::size_t frame_size(BytesView octets) noexcept {
    BytesView rest = octets;
    const auto type = take_varint(rest);
    const auto length = take_varint(rest);
    return type && length ? octets.size() - rest.size() + static_cast<std::size_t>(*length)
                          : octets.size() + 1;
}

/// What is known of a stream of the client.
struct Incoming {
    std::optional<HeadBuilder> head;
    std::optional<std::uint64_t> type;  // of a stream that is no request's
    Bytes partial;                      // not yet given to nghttp3
    std::size_t idle = 0;               // octets since the last that brought something
    std::size_t held = 0;               // octets that nghttp3 keeps until it can read the head
};

class Session final : public H3Session {
public:
    Session(const MessageLimits& limits, H3Options options, H3Events& events)
        : limits_(limits), options_(std::move(options)), events_(events) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() override { nghttp3_conn_del(native_); }

    result<void> open();
    result<void> receive(std::int64_t stream, BytesView octets, bool end) override;
    [[nodiscard]] bool waits(std::int64_t stream) const override {
        const auto found = incoming_.find(stream);
        return found != incoming_.end() && found->second.held > 0;
    }
    result<void> send() override;
    void respond(std::int64_t stream, int status, const Fields& fields,
                 std::optional<std::uint64_t> length, bool has_content) override;
    void respond_continue(std::int64_t stream) override;
    void resume(std::int64_t stream) override;
    result<void> close(std::int64_t stream, bool unread, std::uint64_t code) override;
    void go_away() override;
    [[nodiscard]] std::uint64_t code() const override { return code_; }
    [[nodiscard]] bool takes_datagrams() const override { return takes_datagrams_; }

private:
    static Session& self(void* data) { return *static_cast<Session*>(data); }
    static nghttp3_callbacks callbacks();
    static int on_begin(nghttp3_conn*, std::int64_t stream, void* data, void*);
    static int on_field(nghttp3_conn*, std::int64_t stream, std::int32_t, nghttp3_rcbuf* name,
                        nghttp3_rcbuf* value, std::uint8_t, void* data, void*);
    static int on_trailer(nghttp3_conn*, std::int64_t stream, std::int32_t, nghttp3_rcbuf* name,
                          nghttp3_rcbuf* value, std::uint8_t, void* data, void*);
    static int on_head(nghttp3_conn*, std::int64_t stream, int, void* data, void*);
    static int on_data(nghttp3_conn*, std::int64_t stream, const std::uint8_t* octets,
                       std::size_t size, void* data, void*);
    static int on_deferred(nghttp3_conn*, std::int64_t stream, std::size_t size, void* data, void*);
    static int on_end(nghttp3_conn*, std::int64_t stream, void* data, void*);
    static int on_refuse(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* data, void*);
    static int on_settings(nghttp3_conn*, const nghttp3_settings* settings, void* data);
    static nghttp3_ssize read_content(nghttp3_conn*, std::int64_t stream, nghttp3_vec* into,
                                      std::size_t, std::uint32_t* flags, void* data, void*);

    [[nodiscard]] bool failed() const noexcept { return failure_.has_value(); }
    void allow_requests(std::uint64_t in_all);
    result<void> broken(int why);
    result<void> flood();
    result<void> give(std::int64_t stream, BytesView octets, bool end);
    result<void> receive_other(Incoming& one, std::int64_t stream, BytesView octets, bool end);
    result<void> count_idle(Incoming& one, std::int64_t stream, std::size_t octets);
    void release(std::int64_t stream, std::size_t octets);
    void put_out(std::int64_t stream, std::span<const nghttp3_vec> pieces, bool end);
    void put_out_settings(std::int64_t stream, BytesView octets);
    void finish_content(std::int64_t stream, std::uint32_t& flags);

    const MessageLimits& limits_;
    const H3Options options_;
    H3Events& events_;
    nghttp3_conn* native_ = nullptr;
    std::map<std::int64_t, Incoming> incoming_;
    std::int64_t reading_ = -1;  // the stream whose octets nghttp3 is looking at,
    std::size_t content_ = 0;    // and those of them that were content
    std::size_t idle_ = 0;       // of the streams of the connection itself
    std::uint64_t requests_allowed_ = 0;
    std::optional<error> failure_;
    std::uint64_t code_ = h3_code::kNoError;
    bool settings_sent_ = false;
    bool going_away_ = false;
    bool takes_datagrams_ = false;
};

bool is_request(std::int64_t stream) noexcept {
    return stream % 4 == 0;
}

nghttp3_callbacks Session::callbacks() {
    nghttp3_callbacks all{};
    all.begin_headers = on_begin;
    all.recv_header = on_field;
    all.end_headers = on_head;
    all.recv_data = on_data;
    all.deferred_consume = on_deferred;
    all.end_stream = on_end;
    all.stop_sending = on_refuse;
    all.reset_stream = on_refuse;
    all.recv_settings = on_settings;
    all.recv_trailer = on_trailer;
    return all;
}

result<void> Session::open() {
    const nghttp3_callbacks all = callbacks();
    nghttp3_settings settings;
    nghttp3_settings_default(&settings);
    settings.max_field_section_size = limits_.header_bytes_max;
    settings.qpack_max_dtable_capacity = kQpackTableBytesMax;
    settings.qpack_blocked_streams = kQpackBlockedMax;
    settings.qpack_encoder_max_dtable_capacity = 0;  // no response waits for another stream
    settings.enable_connect_protocol = 1;            // RFC 9220
    settings.h3_datagram = options_.datagrams ? 1 : 0;
    const auto [control, encoder, decoder] = options_.own_streams;
    const bool opened =
        nghttp3_conn_server_new(&native_, &all, &settings, nghttp3_mem_default(), this) == 0 &&
        nghttp3_conn_bind_control_stream(native_, control) == 0 &&
        nghttp3_conn_bind_qpack_streams(native_, encoder, decoder) == 0;
    if (!opened) {
        return fail(causes::kInternal, "HTTP/3 cannot begin");
    }
    nghttp3_conn_set_max_concurrent_streams(native_, options_.streams_max);
    allow_requests(options_.streams_max);
    return {};
}

// Of so many the client may say how urgent they are before it sends them.
void Session::allow_requests(std::uint64_t in_all) {
    if (in_all > requests_allowed_) {
        requests_allowed_ = in_all;
        nghttp3_conn_set_max_client_streams_bidi(native_, in_all);
    }
}

result<void> Session::broken(int why) {
    code_ = nghttp3_err_infer_quic_app_error_code(why);
    failure_.emplace(causes::kProtocol, nghttp3_strerror(why));
    return unexpected(*failure_);
}

result<void> Session::flood() {
    code_ = h3_code::kExcessiveLoad;
    failure_.emplace(causes::kLimit, "a flood of HTTP/3 frames");
    return unexpected(*failure_);
}

// ---- what the client sends ----

result<void> Session::receive(std::int64_t stream, BytesView octets, bool end) {
    if (failed()) {
        return unexpected(*failure_);
    }
    if (!is_request(stream)) {
        return receive_other(incoming_[stream], stream, octets, end);
    }
    allow_requests(static_cast<std::uint64_t>(stream / 4) + 1 + options_.streams_max);
    return give(stream, octets, end);
}

result<void> Session::give(std::int64_t stream, BytesView octets, bool end) {
    incoming_.try_emplace(stream);
    reading_ = stream;
    content_ = 0;
    const nghttp3_ssize taken = nghttp3_conn_read_stream(native_, stream, alknet::octets(octets),
                                                         octets.size(), end ? 1 : 0);
    reading_ = -1;
    if (taken < 0) {
        return broken(static_cast<int>(taken));
    }
    const std::size_t framing = octets.size() - content_;
    Incoming& one = incoming_[stream];
    one.held += framing - static_cast<std::size_t>(taken);
    return count_idle(one, stream, framing);
}

// nghttp3 1.8 asserts, and so ends the program, when what it is given of a PRIORITY_UPDATE ends
// with the number of the stream: the frames of the control stream are given to it whole.
result<void> Session::receive_other(Incoming& one, std::int64_t stream, BytesView octets,
                                    bool end) {
    one.partial.insert(one.partial.end(), octets.begin(), octets.end());
    BytesView rest = one.partial;
    if (!one.type) {
        one.type = take_varint(rest);
        if (!one.type) {
            return {};  // one that ends before it has a type is nothing
        }
        ALKNET_CHECK(
            give(stream, BytesView(one.partial).first(one.partial.size() - rest.size()), false));
    }
    for (bool whole = true; whole && !rest.empty();) {
        std::size_t size = rest.size();
        if (*one.type == kControlType) {
            size = frame_size(rest);
            whole = size <= rest.size();
        }
        if (whole) {
            ALKNET_CHECK(give(stream, rest.first(size), false));
            rest = rest.subspan(size);
        }
    }
    if (rest.size() > kControlFrameBytesMax) {
        return flood();
    }
    one.partial.erase(one.partial.begin(),
                      one.partial.end() - static_cast<std::ptrdiff_t>(rest.size()));
    return end ? give(stream, {}, true) : result<void>();
}

result<void> Session::count_idle(Incoming& one, std::int64_t stream, std::size_t octets) {
    if (is_request(stream)) {
        one.idle = content_ > 0 ? 0 : one.idle + octets;
        return one.idle > limits_.header_bytes_max + kIdleOctetsMax ? flood() : result<void>();
    }
    idle_ += octets;
    return idle_ > kIdleOctetsMax ? flood() : result<void>();
}

int Session::on_begin(nghttp3_conn*, std::int64_t stream, void* data, void*) {
    Session& session = self(data);
    session.incoming_[stream].head.emplace(session.limits_, Version::http3);
    return 0;
}

int Session::on_field(nghttp3_conn*, std::int64_t stream, std::int32_t, nghttp3_rcbuf* name,
                      nghttp3_rcbuf* value, std::uint8_t, void* data, void*) {
    if (auto& head = self(data).incoming_[stream].head) {
        head->take(view(name), view(value));
    }
    return 0;
}

int Session::on_trailer(nghttp3_conn*, std::int64_t stream, std::int32_t, nghttp3_rcbuf* name,
                        nghttp3_rcbuf* value, std::uint8_t, void* data, void*) {
    self(data).events_.on_trailer(stream, view(name), view(value));
    return 0;
}

int Session::on_head(nghttp3_conn*, std::int64_t stream, int, void* data, void*) {
    Session& session = self(data);
    Incoming& one = session.incoming_[stream];
    if (one.head) {
        session.idle_ = 0;
        one.idle = 0;
        RequestHead head = one.head->finish(true);
        const std::optional<Refusal> refusal =
            one.head->refusal() != nullptr ? std::optional(*one.head->refusal()) : std::nullopt;
        one.head.reset();
        session.events_.on_request(stream, std::move(head), refusal ? &*refusal : nullptr);
    }
    return 0;
}

int Session::on_data(nghttp3_conn*, std::int64_t stream, const std::uint8_t* octets,
                     std::size_t size, void* data, void*) {
    Session& session = self(data);
    session.idle_ = 0;
    if (stream == session.reading_) {
        session.content_ += size;
    } else {
        session.release(stream, size);
    }
    session.events_.on_data(stream, view_octets(octets, size));
    return 0;
}

int Session::on_deferred(nghttp3_conn*, std::int64_t stream, std::size_t size, void* data, void*) {
    self(data).release(stream, size);
    return 0;
}

// Octets that nghttp3 has kept are read, or forgotten.
void Session::release(std::int64_t stream, std::size_t octets) {
    const auto found = incoming_.find(stream);
    if (found != incoming_.end() && found->second.held > 0) {
        found->second.held -= std::min(found->second.held, octets);
        events_.on_ready(stream);
    }
}

int Session::on_end(nghttp3_conn*, std::int64_t stream, void* data, void*) {
    self(data).events_.on_request_end(stream);
    return 0;
}

int Session::on_refuse(nghttp3_conn*, std::int64_t stream, std::uint64_t code, void* data, void*) {
    self(data).events_.on_refuse(stream, code);
    return 0;
}

int Session::on_settings(nghttp3_conn*, const nghttp3_settings* settings, void* data) {
    self(data).takes_datagrams_ = settings->h3_datagram != 0;
    return 0;
}

// ---- what it is sent ----

result<void> Session::send() {
    while (!failed()) {
        std::array<nghttp3_vec, 16> pieces{};
        std::int64_t stream = -1;
        int end = 0;
        const nghttp3_ssize count =
            nghttp3_conn_writev_stream(native_, &stream, &end, pieces.data(), pieces.size());
        if (count < 0) {
            return broken(static_cast<int>(count));
        }
        if (stream < 0) {
            return {};
        }
        const auto used = std::span(pieces).first(static_cast<std::size_t>(count));
        const std::size_t size = nghttp3_vec_len(used.data(), used.size());
        put_out(stream, used, end != 0);
        // The transport has a copy, so nothing is needed until it is acknowledged.
        (void)nghttp3_conn_add_write_offset(native_, stream, size);
        (void)nghttp3_conn_add_ack_offset(native_, stream, size);
    }
    return unexpected(*failure_);
}

void Session::put_out(std::int64_t stream, std::span<const nghttp3_vec> pieces, bool end) {
    for (const nghttp3_vec& piece : pieces) {
        const BytesView octets = view_octets(piece.base, piece.len);
        if (stream == options_.own_streams[0] && !settings_sent_) {
            put_out_settings(stream, octets);
        } else {
            events_.on_output(stream, octets, false);
        }
    }
    if (end) {
        events_.on_output(stream, {}, true);
    }
}

// nghttp3 announces only the settings that it knows. Its first octets are the type of the stream
// and the whole SETTINGS frame (RFC 9114 section 6.2.1); what else there is to say joins it.
void Session::put_out_settings(std::int64_t stream, BytesView octets) {
    settings_sent_ = true;
    ALKNET_ASSERT(octets.size() > 3 && octets[0] == std::byte{kControlType} &&
                  octets[1] == std::byte{kSettingsType});
    BytesView rest = octets.subspan(2);
    const auto length = take_varint(rest);
    ALKNET_ASSERT(length && *length <= rest.size());
    Bytes more;
    for (const auto& [id, value] : options_.settings) {
        append_varint(more, id);
        append_varint(more, value);
    }
    Bytes out(octets.begin(), octets.begin() + 2);
    append_varint(out, *length + more.size());
    const BytesView settings = rest.first(static_cast<std::size_t>(*length));
    out.insert(out.end(), settings.begin(), settings.end());
    out.insert(out.end(), more.begin(), more.end());
    const BytesView behind = rest.subspan(settings.size());
    out.insert(out.end(), behind.begin(), behind.end());
    events_.on_output(stream, out, false);
}

// nghttp3 copies what it is given, and writes nothing.
nghttp3_nv pair_of(std::string_view name, std::string_view value) {
    return {.name = const_cast<std::uint8_t*>(octets(as_bytes(name))),
            .value = const_cast<std::uint8_t*>(octets(as_bytes(value))),
            .namelen = name.size(),
            .valuelen = value.size(),
            .flags = NGHTTP3_NV_FLAG_NONE};
}

// The end of the stream is that of what follows the content, if anything does.
void Session::finish_content(std::int64_t stream, std::uint32_t& flags) {
    const Fields fields = events_.on_send_end(stream);
    std::vector<nghttp3_nv> pairs;
    for (const FieldView& field : sent_trailers(fields)) {
        pairs.push_back(pair_of(field.name, field.value));
    }
    if (!pairs.empty() &&
        nghttp3_conn_submit_trailers(native_, stream, pairs.data(), pairs.size()) == 0) {
        flags |= NGHTTP3_DATA_FLAG_NO_END_STREAM;
    }
}

nghttp3_ssize Session::read_content(nghttp3_conn*, std::int64_t stream, nghttp3_vec* into,
                                    std::size_t, std::uint32_t* flags, void* data, void*) {
    Session& session = self(data);
    bool end = false;
    const auto octets = session.events_.on_send(stream, end);
    if (!octets || (octets->empty() && !end)) {
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    if (end) {
        *flags |= NGHTTP3_DATA_FLAG_EOF;
        session.finish_content(stream, *flags);
    }
    if (octets->empty()) {
        return 0;
    }
    session.idle_ = 0;  // a client that only downloads sends nothing but acknowledgements
    into->base = const_cast<std::uint8_t*>(alknet::octets(*octets));
    into->len = octets->size();
    return 1;
}

void Session::respond(std::int64_t stream, int status, const Fields& fields,
                      std::optional<std::uint64_t> length, bool has_content) {
    if (failed()) {
        return;
    }
    const std::string status_text = std::to_string(status);
    const std::string length_text = length ? std::to_string(*length) : "";
    std::vector<nghttp3_nv> pairs{pair_of(":status", status_text)};
    for (const FieldView& field : framed_fields(fields)) {
        pairs.push_back(pair_of(field.name, field.value));
    }
    if (length && status >= 200 && status != 204) {
        pairs.push_back(pair_of("content-length", length_text));
    }
    const nghttp3_data_reader content{.read_data = read_content};
    (void)nghttp3_conn_submit_response(native_, stream, pairs.data(), pairs.size(),
                                       has_content ? &content : nullptr);
}

void Session::respond_continue(std::int64_t stream) {
    if (!failed()) {
        const nghttp3_nv status = pair_of(":status", "100");
        (void)nghttp3_conn_submit_info(native_, stream, &status, 1);
    }
}

void Session::resume(std::int64_t stream) {
    if (!failed()) {
        (void)nghttp3_conn_resume_stream(native_, stream);
    }
}

result<void> Session::close(std::int64_t stream, bool unread, std::uint64_t code) {
    if (failed()) {
        return unexpected(*failure_);
    }
    int closed = unread ? nghttp3_conn_shutdown_stream_read(native_, stream) : 0;
    if (closed == 0) {
        closed = nghttp3_conn_close_stream(native_, stream, code);
    }
    incoming_.erase(stream);
    return closed == 0 || closed == NGHTTP3_ERR_STREAM_NOT_FOUND ? result<void>() : broken(closed);
}

void Session::go_away() {
    if (!failed() && !going_away_) {
        going_away_ = true;
        (void)nghttp3_conn_shutdown(native_);
    }
}

}  // namespace

result<std::unique_ptr<H3Session>> H3Session::create(const MessageLimits& limits, H3Options options,
                                                     H3Events& events) {
    auto session = std::make_unique<Session>(limits, std::move(options), events);
    ALKNET_CHECK(session->open());
    return session;
}

}  // namespace alknet::http
