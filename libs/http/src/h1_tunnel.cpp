// What a connection of HTTP/1.1 becomes after 101: a stream, which begins with what was read ahead.
#include <algorithm>

#include "h1_connection.hpp"

namespace alknet::http {

class H1Connection::TunnelStream final : public BiStream {
public:
    explicit TunnelStream(H1Connection& connection) : connection_(connection) {}

    task<result<std::size_t>> read(MutableBytes into) override {
        H1Connection& connection = connection_;
        while (connection.input_.empty() && connection.watching_) {
            ALKNET_CO_CHECK(co_await connection.watched_.wait());
        }
        if (!connection.input_.empty()) {
            const std::size_t count = std::min(connection.input_.size(), into.size());
            std::copy_n(connection.input_.begin(), count, into.begin());
            connection.input_ = connection.input_.subspan(count);
            co_return count;
        }
        if (connection.ended_) {
            co_return 0U;
        }
        ALKNET_CO_TRY(const std::size_t count, co_await connection.stream_.read(into));
        connection.ended_ = count == 0;
        co_return count;
    }
    task<result<void>> write(BytesView data) override {
        connection_.sent_bytes_ += data.size();
        return connection_.stream_.write(data);
    }
    task<result<void>> finish() override {
        connection_.finished_ = true;
        return connection_.stream_.finish();
    }
    void stop(std::uint64_t code) noexcept override { connection_.stream_.stop(code); }
    void reset(std::uint64_t code) noexcept override { connection_.stream_.reset(code); }
    [[nodiscard]] std::uint64_t id() const noexcept override { return connection_.stream_.id(); }

private:
    H1Connection& connection_;
};

task<result<void>> H1Connection::run_tunnel(Tunnel tunnel) {
    TunnelStream stream(*this);
    tunnelling_ = true;
    co_return co_await tunnel(stream);
}

}  // namespace alknet::http
