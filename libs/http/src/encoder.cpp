// The only file that knows zlib and brotli.
#include <brotli/encode.h>
#include <zlib.h>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/http/coding.hpp>
#include <alknet/http/limits.hpp>
#include <atomic>
#include <utility>

namespace alknet::http {

namespace {

/// One step towards the other end of a content.
class Encoder {
public:
    virtual ~Encoder() = default;
    /// Takes from `in` and fills `into`, and moves both on. `last`: nothing comes after `in`.
    /// False: it cannot.
    virtual bool step(BytesView& in, MutableBytes& into, bool last) = 0;
    /// All that there was has been given.
    [[nodiscard]] virtual bool done() const noexcept = 0;
};

// What it costs grows faster from here on than what it saves.
constexpr int kGzipLevel = 5;
constexpr int kGzipWindow = MAX_WBITS + 16;  // with gzip's head instead of zlib's
constexpr int kGzipMemory = 8;
constexpr std::uint32_t kBrotliQuality = 4;
constexpr std::uint32_t kBrotliWindow = 18;

class GzipEncoder final : public Encoder {
public:
    GzipEncoder() {
        ready_ = deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory,
                              Z_DEFAULT_STRATEGY) == Z_OK;
    }
    GzipEncoder(const GzipEncoder&) = delete;
    GzipEncoder& operator=(const GzipEncoder&) = delete;
    ~GzipEncoder() override {
        if (ready_) {
            deflateEnd(&stream_);
        }
    }
    [[nodiscard]] bool ready() const noexcept { return ready_; }

    bool step(BytesView& in, MutableBytes& into, bool last) override {
        stream_.next_in = const_cast<Bytef*>(
            octets(in));  // NOLINT(cppcoreguidelines-pro-type-const-cast): it only reads
        stream_.avail_in = static_cast<uInt>(in.size());
        stream_.next_out = octets(into);
        stream_.avail_out = static_cast<uInt>(into.size());
        const int outcome = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
        in = in.last(stream_.avail_in);
        into = into.last(stream_.avail_out);
        done_ = outcome == Z_STREAM_END;
        return outcome != Z_STREAM_ERROR;
    }
    [[nodiscard]] bool done() const noexcept override { return done_; }

private:
    z_stream stream_{};
    bool ready_ = false;
    bool done_ = false;
};

class BrotliEncoder final : public Encoder {
public:
    BrotliEncoder() : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
        if (state_ != nullptr) {
            BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, kBrotliQuality);
            BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, kBrotliWindow);
        }
    }
    BrotliEncoder(const BrotliEncoder&) = delete;
    BrotliEncoder& operator=(const BrotliEncoder&) = delete;
    ~BrotliEncoder() override { BrotliEncoderDestroyInstance(state_); }
    [[nodiscard]] bool ready() const noexcept { return state_ != nullptr; }

    bool step(BytesView& in, MutableBytes& into, bool last) override {
        std::size_t in_size = in.size();
        std::size_t into_size = into.size();
        const std::uint8_t* from = octets(in);
        std::uint8_t* to = octets(into);
        const auto what = last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
        const bool fine = BrotliEncoderCompressStream(state_, what, &in_size, &from, &into_size,
                                                      &to, nullptr) == BROTLI_TRUE;
        in = in.last(in_size);
        into = into.last(into_size);
        return fine;
    }
    [[nodiscard]] bool done() const noexcept override {
        return BrotliEncoderIsFinished(state_) == BROTLI_TRUE;
    }

private:
    BrotliEncoderState* state_;
};

std::atomic<unsigned> encoders = 0;

class EncodedSource final : public BodySource {
public:
    explicit EncodedSource(std::unique_ptr<Encoder> encoder) : encoder_(std::move(encoder)) {}
    EncodedSource(const EncodedSource&) = delete;
    EncodedSource& operator=(const EncodedSource&) = delete;
    ~EncodedSource() override { encoders.fetch_sub(1, std::memory_order_relaxed); }

    void read_from(std::unique_ptr<BodySource> source) { source_ = std::move(source); }

    task<result<std::size_t>> read(MutableBytes into) override {
        MutableBytes room = into;
        while (room.size() == into.size() && !encoder_->done()) {
            if (left_.empty() && !last_) {
                ALKNET_CO_TRY(const std::size_t size, co_await source_->read(piece_));
                left_ = BytesView(piece_).first(size);
                last_ = size == 0;
            }
            if (!encoder_->step(left_, room, last_)) {
                co_return fail(causes::kInternal, "a content could not be coded");
            }
        }
        co_return into.size() - room.size();
    }

private:
    std::unique_ptr<BodySource> source_;
    std::unique_ptr<Encoder> encoder_;
    Bytes piece_ = Bytes(kPieceBytes);
    BytesView left_;
    bool last_ = false;
};

template <class T>
std::unique_ptr<Encoder> make_encoder() {
    auto encoder = std::make_unique<T>();
    return encoder->ready() ? std::move(encoder) : nullptr;
}

}  // namespace

std::unique_ptr<BodySource> encoded(std::unique_ptr<BodySource>& source, Coding coding) {
    ALKNET_ASSERT(coding != Coding::identity);
    if (encoders.fetch_add(1, std::memory_order_relaxed) >= kEncodersMax) {
        encoders.fetch_sub(1, std::memory_order_relaxed);
        return nullptr;
    }
    auto encoder =
        coding == Coding::br ? make_encoder<BrotliEncoder>() : make_encoder<GzipEncoder>();
    if (encoder == nullptr) {
        encoders.fetch_sub(1, std::memory_order_relaxed);
        return nullptr;
    }
    auto made = std::make_unique<EncodedSource>(std::move(encoder));
    made->read_from(std::move(source));
    return made;
}

}  // namespace alknet::http
