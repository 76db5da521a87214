// A user certificate, with whatever is wanted in it.
#pragma once

#include <alknet/crypto/node_key.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host_key.hpp"
#include "messages.hpp"

namespace alknet::ssh {

struct MadeCertificate {
    static constexpr std::string_view kType = "ssh-ed25519-cert-v01@openssh.com";

    void option(std::string_view name, std::string_view value) {
        put_text(options, name);
        WireWriter data;
        put_text(data, value);
        put_string(options, data.view());
    }
    void extension(std::string_view name) {
        put_text(extensions, name);
        put_text(extensions, "");
    }
    [[nodiscard]] Bytes blob() const {
        WireWriter out;
        put_text(out, kType);
        put_text(out, "nonce");
        put_string(out, user->id().bytes());
        out.number<std::uint64_t>(7);
        out.number(type);
        put_text(out, "the words");
        WireWriter names;
        for (const std::string& one : principals) {
            put_text(names, one);
        }
        put_string(out, names.view());
        out.number(after);
        out.number(before);
        put_string(out, options.view());
        put_string(out, extensions.view());
        put_text(out, "");
        put_string(out, host_key_blob(authority->id()));
        put_string(out, host_signature(*authority, out.view()));
        return out.take();
    }

    std::shared_ptr<const NodeKey> user = NodeKey::generate();
    std::shared_ptr<const NodeKey> authority = NodeKey::generate();
    std::vector<std::string> principals = {"bob"};
    std::uint32_t type = 1;
    std::uint64_t after = 100;
    std::uint64_t before = 200;
    WireWriter options;
    WireWriter extensions;
};

}  // namespace alknet::ssh
