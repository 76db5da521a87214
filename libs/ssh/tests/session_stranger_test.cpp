// What somebody who has not logged in can find out: nothing of who is known here. Answers are
// compared octet by octet, and what was done for them by the questions that were asked, the steps
// of the loop and its time.
#include <gmock/gmock.h>

#include "certificate_made.hpp"
#include "session_world.hpp"

namespace alknet::ssh {
namespace {

struct Attempt {
    std::string user;
    std::string method = "publickey";
    std::string algorithm = "ssh-ed25519";
    Bytes blob{};
    std::shared_ptr<const NodeKey> signs{};  // null: it only asks about the key
};

struct Shown {
    Bytes answer;
    std::size_t questions = 0;  // to whoever knows the peers
    std::uint64_t steps = 0;
    Duration took{};

    bool operator==(const Shown&) const = default;
};

void PrintTo(const Shown& shown, std::ostream* out) {
    *out << shown.answer.size() << " octets of answer, " << shown.questions << " questions, "
         << shown.steps << " steps, " << shown.took.count() << " ns";
}

Bytes request_of(const Attempt& attempt, BytesView session_id) {
    WireWriter request = begin_message(Message::userauth_request);
    put_text(request, attempt.user);
    put_text(request, "ssh-connection");
    put_text(request, attempt.method);
    if (attempt.method != "publickey") {
        put_bool(request, false);
        put_text(request, "secret");
        return request.take();
    }
    put_bool(request, attempt.signs != nullptr);
    put_text(request, attempt.algorithm);
    put_string(request, attempt.blob);
    if (attempt.signs != nullptr) {
        WireWriter covered;
        put_string(covered, session_id);
        covered.append(request.view());
        put_string(request, host_signature(*attempt.signs, covered.view()));
    }
    return request.take();
}

/// On a connection of its own, as the first thing that is tried there.
task<result<Shown>> shown_to(SshWorld& world, Attempt attempt) {
    const auto client = world.client({});
    ALKNET_CO_CHECK(co_await client->connect());
    ALKNET_CO_CHECK(co_await client->ask_for_service());
    ALKNET_CO_CHECK(client->transport.send(request_of(attempt, client->transport.session_id())));
    co_await world.loop.yield();
    const std::size_t questions = world.identities->questions;
    const std::uint64_t steps = world.loop.pulse().steps;
    const TimePoint began = world.loop.now();
    ALKNET_CO_TRY(Bytes answer, co_await client->message());
    Shown shown{.answer = std::move(answer),
                .questions = world.identities->questions - questions,
                .steps = world.loop.pulse().steps - steps,
                .took = world.loop.now() - began};
    client->end();
    co_return shown;
}

/// Whether what is shown is the same for each of these.
task<void> expect_no_difference(SshWorld& world, std::vector<Attempt> attempts) {
    std::optional<Shown> first;
    for (const Attempt& attempt : attempts) {
        const auto shown = co_await shown_to(world, attempt);
        EXPECT_TRUE(shown);
        if (!shown) {
            co_return;
        }
        EXPECT_EQ(message_of(shown->answer), Message::userauth_failure);
        EXPECT_EQ(*shown, first.value_or(*shown)) << attempt.user << ", " << attempt.method;
        first = *shown;
    }
}

const std::vector<std::string> kUsers = {"bob", "eve", "root", "alknet", ""};

ALKNET_CO_TEST(SshStranger, NamesOfUsersMakeNoDifference) {
    SshWorld world(loop);
    const auto key = NodeKey::generate();
    const Bytes blob = host_key_blob(key->id());
    for (const std::string method : {"publickey", "password", "hostbased"}) {
        for (const bool signs : {false, true}) {
            std::vector<Attempt> attempts;
            for (const std::string& user : kUsers) {
                attempts.push_back(
                    {.user = user, .method = method, .blob = blob, .signs = signs ? key : nullptr});
            }
            co_await expect_no_difference(world, std::move(attempts));
        }
    }
    co_await world.end();
}

ALKNET_CO_TEST(SshStranger, AKeyOfAPeerIsAsGoodAsAnyWithoutItsOtherHalf) {
    SshWorld world(loop);
    const auto known = NodeKey::generate();
    const auto stranger = NodeKey::generate();
    world.identities->known[known->id().fingerprint()] = {
        .id = "bob", .scopes = {}, .resources = {}};
    std::vector<Attempt> attempts;
    for (const auto& shown : {known, stranger}) {
        for (const std::string& user : kUsers) {
            attempts.push_back(
                {.user = user, .blob = host_key_blob(shown->id()), .signs = NodeKey::generate()});
        }
    }
    attempts.push_back({.user = "bob", .blob = host_key_blob(stranger->id()), .signs = stranger});
    co_await expect_no_difference(world, std::move(attempts));
    co_await world.end();
}

// Who is believed about whom, and who has been sent away, is not told either.
ALKNET_CO_TEST(SshStranger, CertificatesShowNothingOfWhomTheirAuthorityIsBelievedAbout) {
    SshWorld world(loop);
    MadeCertificate made;
    made.after = 0;
    made.before = ~std::uint64_t{0};
    made.principals = {"bob", "eve", "alice"};
    for (const std::string user : {"bob", "alice"}) {
        world.identities->known["cert:" + user + ":" + made.authority->id().fingerprint()] = {
            .id = user, .scopes = {}, .resources = {}};
    }
    const auto attempt = [&](std::string user, std::shared_ptr<const NodeKey> signs) {
        return Attempt{.user = std::move(user),
                       .algorithm = std::string(MadeCertificate::kType),
                       .blob = made.blob(),
                       .signs = std::move(signs)};
    };
    const auto other = NodeKey::generate();
    co_await expect_no_difference(
        world, {attempt("bob", other), attempt("eve", other), attempt("eve", made.user)});
    world.revoked = {made.user->id().fingerprint()};
    co_await expect_no_difference(
        world, {attempt("alice", other), attempt("eve", other), attempt("alice", made.user),
                attempt("eve", nullptr), attempt("alice", nullptr)});
    co_await world.end();
}

}  // namespace
}  // namespace alknet::ssh
