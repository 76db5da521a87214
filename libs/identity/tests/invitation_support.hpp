// Invitations that tests are made of.
#pragma once

#include <alknet/identity/invitation_state.hpp>
#include <alknet/identity/state.hpp>
#include <string>
#include <vector>

#include "support.hpp"

namespace alknet::identity {

inline InvitationSecret secret_of(int number) {
    InvitationSecret secret{};
    secret.back() = static_cast<std::byte>(number);
    return secret;
}

/// Good from the beginning of 1970 until second 1000.
inline InvitationRecord invitation(int number,
                                   const std::vector<std::string>& scopes = {"git:read:*"}) {
    InvitationRecord record;
    record.id = make_invitation_id();
    record.hash = invitation_hash(secret_of(number));
    for (const std::string& text : scopes) {
        record.scopes.push_back(scope(text));
    }
    record.expires = at(1000);
    return record;
}

}  // namespace alknet::identity
