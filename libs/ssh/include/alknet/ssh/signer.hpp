// What signs for a user who logs in.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/crypto/node_key.hpp>
#include <alknet/rt/task.hpp>
#include <memory>
#include <string_view>

namespace alknet::ssh {

class Signer {
public:
    virtual ~Signer() = default;
    /// The public key as SSH writes it.
    [[nodiscard]] virtual BytesView key() const noexcept = 0;
    /// With which it signs, as a request names it.
    [[nodiscard]] virtual std::string_view algorithm() const noexcept = 0;
    /// Signing costs somebody a touch or a password: it is asked first whether the key is welcome.
    [[nodiscard]] virtual bool is_dear() const noexcept = 0;
    /// The signature as SSH writes it. Errors: kForbidden when its owner does not want to; those of
    /// the way there.
    virtual task<result<Bytes>> sign(Bytes message) = 0;
};

[[nodiscard]] std::shared_ptr<Signer> make_signer(std::shared_ptr<const NodeKey> key);

}  // namespace alknet::ssh
