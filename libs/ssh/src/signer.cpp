#include <alknet/ssh/signer.hpp>
#include <utility>

#include "host_key.hpp"

namespace alknet::ssh {

namespace {

class KeySigner final : public Signer {
public:
    explicit KeySigner(std::shared_ptr<const NodeKey> key)
        : key_(std::move(key)), blob_(host_key_blob(key_->id())) {}
    [[nodiscard]] BytesView key() const noexcept override { return blob_; }
    [[nodiscard]] std::string_view algorithm() const noexcept override { return "ssh-ed25519"; }
    [[nodiscard]] bool is_dear() const noexcept override { return false; }
    task<result<Bytes>> sign(Bytes message) override { co_return host_signature(*key_, message); }

private:
    std::shared_ptr<const NodeKey> key_;
    Bytes blob_;
};

}  // namespace

std::shared_ptr<Signer> make_signer(std::shared_ptr<const NodeKey> key) {
    return std::make_shared<KeySigner>(std::move(key));
}

}  // namespace alknet::ssh
