#include <alknet/base/causes_ssh.hpp>

namespace alknet::causes {

constexpr Cause kNoAlgorithm{
    .id = "E-SSH-ALGORITHM",
    .condition = errc::protocol,
    .what = "the two ends of SSH have no algorithm in common",
    .next = "use an SSH program that speaks curve25519-sha256, ssh-ed25519 and AES-GCM",
    .explain =
        "A node has one host key, an Ed25519 key, and speaks modern algorithms alone: "
        "curve25519-sha256; AES-GCM, chacha20-poly1305 and AES-CTR with HMAC-SHA-2. Ciphers that "
        "the Terrapin attack can cut (chacha20-poly1305, and MACs named -etm) are used only with "
        "programs that have the remedy, strict key exchange; with older ones ask for another: "
        "ssh -c aes128-gcm@openssh.com.",
};

constexpr Cause kLoginFailed{
    .id = "E-SSH-LOGIN",
    .condition = errc::auth_required,
    .what = "nobody has logged in over SSH",
    .next = "give the node the key that ssh offers: alknet peer add NAME \"$(cat key.pub)\"",
    .explain =
        "Whoever comes over SSH proves with a signature that they have a key of a peer. The user "
        "name does not matter. After six keys that are not known, or half a minute, the connection "
        "ends: with many keys in an agent, name the right one with -i and IdentitiesOnly=yes. "
        "There are no passwords.",
};

constexpr Cause kSshUser{
    .id = "E-SSH-USER",
    .condition = errc::invalid,
    .what = "commands of SSH cannot run as that user",
    .next = "name a user of its own and run the node as root, or write run_as_self = true",
    .explain =
        "Whoever runs a command as the node's own user can read the node's key and become the "
        "node, so commands and shells of peers run as another user: run_as = \"NAME\" in [ssh] of "
        "alknet.toml. Only root can start something as somebody else. run_as_self = true in its "
        "place says that peers with ssh:exec or ssh:shell are trusted with all that the node has.",
};

}  // namespace alknet::causes
