#include "ticket_keys.hpp"

#include "handles.hpp"

#include <alknet/base/assert.hpp>

namespace alknet::tls {

RotatingTicketKeys::RotatingTicketKeys(Now now) : now_(std::move(now)) {
    renew();
}

void RotatingTicketKeys::renew() {
    Datum fresh;
    ALKNET_ASSERT(gnutls_session_ticket_key_generate(fresh.out()) == 0);
    ALKNET_ASSERT(fresh.view().size() == kMasterBytes);
    master_ =
        std::make_shared<const crypto::SecretBytes>(crypto::SecretBytes::copy_of(fresh.view()));
    born_ = now_();
}

std::shared_ptr<const crypto::SecretBytes> RotatingTicketKeys::master() {
    const std::scoped_lock lock(mutex_);
    const std::time_t now = now_();
    // A clock that was set back renews too: the age of the master is then not known.
    if (now < born_ || now - born_ >= kMasterLifetime.count()) {
        renew();
    }
    return master_;
}

std::shared_ptr<TicketKeys> TicketKeys::create() {
    return std::make_shared<RotatingTicketKeys>([] { return std::time(nullptr); });
}

}  // namespace alknet::tls
