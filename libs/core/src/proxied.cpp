#include "proxied.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <alknet/net/proxy_protocol.hpp>

namespace alknet {

namespace {

/// A stream of which the first octets have been read already.
class PrefixedStream final : public ByteStream {
public:
    PrefixedStream(Bytes prefix, std::unique_ptr<ByteStream> below)
        : prefix_(std::move(prefix)), below_(std::move(below)) {}

    result<std::optional<std::size_t>> try_read(MutableBytes into) override {
        if (prefix_.empty()) {
            return below_->try_read(into);
        }
        const std::size_t count = std::min(into.size(), prefix_.size());
        std::copy_n(prefix_.begin(), count, into.begin());
        prefix_.erase(prefix_.begin(), prefix_.begin() + static_cast<std::ptrdiff_t>(count));
        return count;
    }
    task<result<void>> readable() override {
        if (!prefix_.empty()) {
            co_return result<void>{};
        }
        co_return co_await below_->readable();
    }
    result<std::size_t> try_write(BytesView data) override { return below_->try_write(data); }
    task<result<void>> writable() override { return below_->writable(); }
    task<result<void>> finish() override { return below_->finish(); }
    void stop(std::uint64_t code) noexcept override { below_->stop(code); }
    void reset(std::uint64_t code) noexcept override { below_->reset(code); }

private:
    Bytes prefix_;
    std::unique_ptr<ByteStream> below_;
};

task<result<void>> read_header(ByteStream& stream, net::ProxyHeaderReader& reader) {
    Bytes buffer;
    while (reader.wanted() > 0) {
        buffer.resize(reader.wanted());
        ALKNET_CO_TRY(const std::size_t count, co_await stream.read(buffer));
        if (count == 0) {
            co_return fail(causes::kProxyHeader, "the connection ended before its end");
        }
        ALKNET_CO_CHECK(reader.add(BytesView(buffer).first(count)));
    }
    co_return result<void>{};
}

task<result<net::TcpStream>> take_header(net::TcpStream tcp) {
    net::ProxyHeaderReader reader;
    ALKNET_CO_CHECK(co_await read_header(*tcp.stream, reader));
    auto header = std::make_shared<const net::ProxyHeader>(reader.header());
    if (header->source.family() != SocketAddress::Family::none) {
        tcp.remote = header->source;
        tcp.local = header->destination;
    }
    tcp.proxy = std::move(header);
    co_return tcp;
}

task<result<net::TcpStream>> refuse_header(net::TcpStream tcp) {
    Bytes first;
    while (first.size() < net::kProxyMagicBytes) {
        Bytes more(net::kProxyMagicBytes - first.size());
        ALKNET_CO_TRY(const std::size_t count, co_await tcp.stream->read(more));
        if (count == 0) {
            break;  // TLS has a word for that
        }
        first.insert(first.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (net::looks_like_proxy_header(first)) {
        co_return fail(causes::kProxyHeader,
                       "it comes from an address that proxy_protocol_from does not name");
    }
    tcp.stream = std::make_unique<PrefixedStream>(std::move(first), std::move(tcp.stream));
    co_return tcp;
}

}  // namespace

task<result<net::TcpStream>> identify_client(net::TcpStream tcp, bool trusted) {
    return trusted ? take_header(std::move(tcp)) : refuse_header(std::move(tcp));
}

}  // namespace alknet
