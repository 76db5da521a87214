// ResumableConnection: what a service, or who dials one, is given: a Connection with one stream,
// whose octets a StreamCore keeps. It does not know of transports.
#pragma once

#include <alknet/net/connection.hpp>
#include <alknet/rt/wait.hpp>
#include <memory>

#include "stream_core.hpp"

namespace alknet::resume {

class ResumableConnection final : public Connection,
                                  public std::enable_shared_from_this<ResumableConnection> {
public:
    /// `info.server_side` decides which call gives the stream, and when the connection ends: on the
    /// serving side when the stream is let go, since others see to what is still to be delivered;
    /// on the dialling side when that has been delivered.
    static std::shared_ptr<ResumableConnection> create(std::shared_ptr<StreamCore> core,
                                                       ConnectionInfo info);
    ~ResumableConnection() override;

    task<result<std::unique_ptr<BiStream>>> accept_bi() override;
    task<result<std::unique_ptr<BiStream>>> open_bi() override;
    task<result<std::unique_ptr<RecvStream>>> accept_uni() override;
    task<result<std::unique_ptr<SendStream>>> open_uni() override;
    result<void> send_datagram(BytesView data) override;
    task<result<Bytes>> recv_datagram() override;
    [[nodiscard]] std::size_t datagram_bytes_max() const noexcept override { return 0; }

    void close(std::uint64_t code, std::string_view reason) noexcept override;
    [[nodiscard]] Cancel& closed() noexcept override { return closed_; }
    [[nodiscard]] std::optional<error> close_reason() const override { return reason_; }
    task<result<void>> wait_closed() override { return ended_.wait(); }

    [[nodiscard]] const ConnectionInfo& info() const noexcept override { return info_; }
    [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
    /// The stream goes on over a connection from elsewhere.
    void set_remote(const SocketAddress& remote) noexcept { remote_ = remote; }
    [[nodiscard]] ConnectionStats stats() const noexcept override;
    result<void> export_keying_material(std::string_view label, BytesView context,
                                        MutableBytes out) const override;

private:
    class Stream;
    ResumableConnection(std::shared_ptr<StreamCore> core, ConnectionInfo info);
    std::unique_ptr<BiStream> yield();
    void released() noexcept;
    void settled() noexcept;
    void end(error why) noexcept;

    std::shared_ptr<StreamCore> core_;
    ConnectionInfo info_;
    SocketAddress remote_;
    Cancel closed_;
    Event ended_;
    std::optional<error> reason_;
    bool yielded_ = false;
    bool released_ = false;
};

}  // namespace alknet::resume
