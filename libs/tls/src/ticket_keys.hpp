// The one implementation of TicketKeys.
#pragma once

#include <alknet/crypto/secret_bytes.hpp>
#include <alknet/tls/context.hpp>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>

namespace alknet::tls {

class RotatingTicketKeys final : public TicketKeys {
public:
    /// What GnuTLS calls a ticket key: the seed of a name, a cipher key and a MAC key.
    static constexpr std::size_t kMasterBytes = 64;
    /// Seconds of wall time.
    using Now = std::function<std::time_t()>;

    explicit RotatingTicketKeys(Now now);

    /// The master for a session that begins now. The same object until it is renewed.
    [[nodiscard]] std::shared_ptr<const crypto::SecretBytes> master();

private:
    void renew();

    Now now_;
    std::mutex mutex_;
    std::shared_ptr<const crypto::SecretBytes> master_;
    std::time_t born_ = 0;
};

}  // namespace alknet::tls
