#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/resume/frames.hpp>
#include <cstring>

namespace alknet::resume {

namespace {

enum class Type : std::uint8_t {
    open = 0x01,
    resume = 0x02,
    accept = 0x03,
    refuse = 0x04,
    data = 0x10,
    ack = 0x11,
    fin = 0x12,
    reset = 0x13,
    stop = 0x14,
    ping = 0x15,
    done = 0x16,
};

// ---- writing ----

class Writer {
public:
    Writer(Bytes& into, Type type) : into_(into), start_(into.size()) {
        into_.push_back(static_cast<std::byte>(type));
        number<std::uint16_t>(0);
    }
    template <class Number>
    Writer& number(Number value) {
        for (std::size_t i = sizeof(Number); i-- > 0;) {
            into_.push_back(static_cast<std::byte>(value >> (8 * i)));
        }
        return *this;
    }
    Writer& octets(BytesView bytes) {
        into_.insert(into_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    Writer& position(const Position& position) {
        return number(position.received).number(position.limit);
    }
    void end() {
        const std::size_t size = into_.size() - start_ - kHeaderBytes;
        ALKNET_ASSERT(size <= kBodyBytesMax);
        into_[start_ + 1] = static_cast<std::byte>(size >> 8);
        into_[start_ + 2] = static_cast<std::byte>(size);
    }

private:
    Bytes& into_;
    std::size_t start_;
};

struct Append {
    Bytes& into;

    void operator()(const Open& f) const {
        ALKNET_ASSERT(!f.alpn.empty() && f.alpn.size() <= kAlpnBytesMax);
        Writer(into, Type::open)
            .number(f.version)
            .octets(f.id.octets)
            .number(f.ring_bytes)
            .number(f.linger_seconds)
            .octets(as_bytes(f.alpn))
            .end();
    }
    void operator()(const Resume& f) const {
        Writer(into, Type::resume).number(f.version).octets(f.id.octets).position(f.position).end();
    }
    void operator()(const Accept& f) const {
        Writer(into, Type::accept).position(f.position).number(f.linger_seconds).end();
    }
    void operator()(const Refuse& f) const {
        ALKNET_ASSERT(f.text.size() <= kRefusalTextBytesMax);
        Writer(into, Type::refuse).number(f.code).octets(as_bytes(f.text)).end();
    }
    void operator()(const Data& f) const {
        ALKNET_ASSERT(!f.octets.empty() && f.octets.size() <= kDataBytesMax);
        Writer(into, Type::data).number(f.offset).octets(f.octets).end();
    }
    void operator()(const Ack& f) const { Writer(into, Type::ack).position(f.position).end(); }
    void operator()(const Fin& f) const { Writer(into, Type::fin).number(f.offset).end(); }
    void operator()(const Reset& f) const {
        Writer(into, Type::reset).number(f.offset).number(f.code).end();
    }
    void operator()(const Stop& f) const { Writer(into, Type::stop).number(f.code).end(); }
    void operator()(const Ping&) const { Writer(into, Type::ping).end(); }
    void operator()(const Done&) const { Writer(into, Type::done).end(); }
};

// ---- reading ----

/// Reads fields until one is missing, and remembers that.
class Reader {
public:
    explicit Reader(BytesView body) : left_(body) {}

    template <class Number>
    Reader& number(Number& into) {
        const BytesView bytes = take(sizeof(Number));
        Number value = 0;
        for (const std::byte byte : bytes) {
            value = static_cast<Number>((static_cast<std::uint64_t>(value) << 8) |
                                        std::to_integer<std::uint64_t>(byte));
        }
        into = value;
        return *this;
    }
    Reader& offset(std::uint64_t& into) {
        number(into);
        good_ = good_ && into < kPositionEnd;
        return *this;
    }
    Reader& position(Position& into) { return offset(into.received).offset(into.limit); }
    Reader& id(StreamId& into) {
        const BytesView bytes = take(into.octets.size());
        std::ranges::copy(bytes, into.octets.begin());
        return *this;
    }
    /// All that is left: between `least` and `most` octets.
    Reader& rest(BytesView& into, std::size_t least, std::size_t most) {
        good_ = good_ && left_.size() >= least && left_.size() <= most;
        into = good_ ? left_ : BytesView();
        left_ = {};
        return *this;
    }
    Reader& text(std::string& into, std::size_t least, std::size_t most) {
        BytesView bytes;
        rest(bytes, least, most);
        into = as_text(bytes);
        return *this;
    }
    /// Whether the fields were the whole body.
    [[nodiscard]] bool end() const noexcept { return good_ && left_.empty(); }

private:
    BytesView take(std::size_t size) {
        if (!good_ || left_.size() < size) {
            good_ = false;
            return {};
        }
        const BytesView taken = left_.first(size);
        left_ = left_.subspan(size);
        return taken;
    }

    BytesView left_;
    bool good_ = true;
};

template <class Body, class Read>
result<std::optional<Frame>> read_as(BytesView body, Read read) {
    Body frame;
    Reader reader(body);
    read(reader, frame);
    if (!reader.end()) {
        return fail(causes::kProtocol, "a frame whose fields do not fit its length or their range");
    }
    return std::optional<Frame>(std::move(frame));
}

result<std::optional<Frame>> parse(Type type, BytesView body) {
    switch (type) {
        case Type::open:
            return read_as<Open>(body, [](Reader& in, Open& f) {
                in.number(f.version)
                    .id(f.id)
                    .number(f.ring_bytes)
                    .number(f.linger_seconds)
                    .text(f.alpn, 1, kAlpnBytesMax);
            });
        case Type::resume:
            return read_as<Resume>(body, [](Reader& in, Resume& f) {
                in.number(f.version).id(f.id).position(f.position);
            });
        case Type::accept:
            return read_as<Accept>(body, [](Reader& in, Accept& f) {
                in.position(f.position).number(f.linger_seconds);
            });
        case Type::refuse:
            return read_as<Refuse>(body, [](Reader& in, Refuse& f) {
                in.number(f.code).text(f.text, 0, kRefusalTextBytesMax);
            });
        case Type::data:
            return read_as<Data>(body, [](Reader& in, Data& f) {
                in.offset(f.offset).rest(f.octets, 1, kDataBytesMax);
            });
        case Type::ack:
            return read_as<Ack>(body, [](Reader& in, Ack& f) { in.position(f.position); });
        case Type::fin:
            return read_as<Fin>(body, [](Reader& in, Fin& f) { in.offset(f.offset); });
        case Type::reset:
            return read_as<Reset>(body,
                                  [](Reader& in, Reset& f) { in.offset(f.offset).number(f.code); });
        case Type::stop:
            return read_as<Stop>(body, [](Reader& in, Stop& f) { in.number(f.code); });
        case Type::ping:
            return read_as<Ping>(body, [](Reader&, Ping&) {});
        case Type::done:
            return read_as<Done>(body, [](Reader&, Done&) {});
    }
    return fail(causes::kProtocol, "a frame of an unknown type");
}

}  // namespace

void append_frame(Bytes& into, const Frame& frame) {
    std::visit(Append{into}, frame);
}

MutableBytes FrameReader::space() {
    if (begin_ > 0) {
        std::copy(buffer_.begin() + std::ptrdiff_t(begin_), buffer_.begin() + std::ptrdiff_t(end_),
                  buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.empty()) {
        buffer_.resize(kBufferFirst);
    } else if (end_ == buffer_.size()) {  // it grows with what has come, not with what is promised
        buffer_.resize(std::min(2 * buffer_.size(), kBufferMax));
    }
    return MutableBytes(buffer_).subspan(end_);
}

result<std::optional<Frame>> FrameReader::next() {
    const BytesView have = BytesView(buffer_).subspan(begin_, end_ - begin_);
    if (have.size() < kHeaderBytes) {
        return std::nullopt;
    }
    const std::size_t size =
        std::to_integer<std::size_t>(have[1]) << 8 | std::to_integer<std::size_t>(have[2]);
    if (size > kBodyBytesMax) {
        return fail(causes::kProtocol, "a frame longer than any may be");
    }
    if (have.size() < kHeaderBytes + size) {
        return std::nullopt;
    }
    begin_ += kHeaderBytes + size;
    return parse(static_cast<Type>(have[0]), have.subspan(kHeaderBytes, size));
}

}  // namespace alknet::resume
