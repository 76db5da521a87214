#include "counters.hpp"

#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace alknet {
namespace {

using quic::Admission;

SocketAddress v4(std::uint8_t last, std::uint16_t port = 1000) {
    return SocketAddress::v4({192, 0, 2, last}, port);
}

EndpointLimits small() {
    EndpointLimits limits;
    limits.connections_max = 8;
    limits.connections_per_ip_max = 3;
    limits.connections_per_identity_max = 2;
    limits.half_open_max = 4;
    limits.half_open_retry = 2;
    return limits;
}

TEST(Counters, TicketsGiveBackWhatTheyHold) {
    const auto counters = Counters::create();
    {
        AdmissionVerdict a = counters->admit(small(), v4(1), true);
        EXPECT_EQ(a.admission, Admission::accept);
        EXPECT_EQ(counters->connections(), 1U);
        EXPECT_EQ(counters->half_open(), 1U);
        EXPECT_EQ(counters->of_ip(v4(1, 7)), 1U);
        EXPECT_TRUE(a.ticket.established(3));
        EXPECT_TRUE(a.ticket.established(3));
        EXPECT_EQ(counters->half_open(), 0U);
        EXPECT_TRUE(a.ticket.claim_identity("alice", 2));
        EXPECT_EQ(counters->of_identity("alice"), 1U);
        Ticket moved = std::move(a.ticket);
        a.ticket = Ticket();
        EXPECT_EQ(counters->connections(), 1U);
        moved = Ticket();
        EXPECT_EQ(counters->connections(), 0U);
        EXPECT_FALSE(moved);
    }
    EXPECT_EQ(counters->entries(), 0U);
}

TEST(Counters, EachLimitStrikesByItsName) {
    const auto counters = Counters::create();
    std::vector<Ticket> held;
    const auto enter = [&](std::uint8_t ip) {
        AdmissionVerdict verdict = counters->admit(small(), v4(ip), true);
        if (verdict.ticket) {
            (void)verdict.ticket.established(3);
            held.push_back(std::move(verdict.ticket));
        }
        return verdict;
    };
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(enter(1).admission, Admission::accept);
    }
    const AdmissionVerdict by_ip = enter(1);
    EXPECT_EQ(by_ip.admission, Admission::refuse);
    EXPECT_EQ(limit_key(*by_ip.struck), "limits.connections_per_ip_max");
    for (std::uint8_t ip = 2; ip < 7; ++ip) {
        EXPECT_EQ(enter(ip).admission, Admission::accept);
    }
    const AdmissionVerdict total = enter(7);
    EXPECT_EQ(total.admission, Admission::refuse);
    EXPECT_EQ(limit_key(*total.struck), "limits.connections_max");
    held.pop_back();
    EXPECT_EQ(enter(7).admission, Admission::accept);
}

TEST(Counters, HalfOpenHandshakesAskForProofThenAreIgnored) {
    const auto counters = Counters::create();
    std::vector<Ticket> held;
    const auto enter = [&](std::uint8_t ip, bool validated) {
        AdmissionVerdict verdict = counters->admit(small(), v4(ip), validated);
        if (verdict.ticket) {
            held.push_back(std::move(verdict.ticket));
        }
        return verdict;
    };
    EXPECT_EQ(enter(1, false).admission, Admission::accept);
    EXPECT_EQ(enter(2, false).admission, Admission::accept);
    const AdmissionVerdict retry = enter(3, false);
    EXPECT_EQ(retry.admission, Admission::retry);
    EXPECT_EQ(limit_key(*retry.struck), "limits.half_open_retry");
    EXPECT_EQ(enter(3, true).admission, Admission::accept);
    EXPECT_EQ(enter(4, true).admission, Admission::accept);
    // Whoever has not proven its address gets no packet at all, so that none reaches a victim.
    EXPECT_EQ(enter(5, false).admission, Admission::ignore);
    const AdmissionVerdict full = enter(5, true);
    EXPECT_EQ(full.admission, Admission::refuse);
    EXPECT_EQ(limit_key(*full.struck), "limits.half_open_max");
    EXPECT_TRUE(held[0].established(3));
    EXPECT_EQ(enter(5, true).admission, Admission::accept);
}

TEST(Counters, FewAddressesCannotTakeAllHandshakes) {
    EndpointLimits limits;
    limits.half_open_retry = limits.half_open_max;
    const auto counters = Counters::create();
    std::vector<Ticket> held;
    const auto begin = [&](std::uint8_t ip, int times) {
        AdmissionVerdict verdict;
        for (int i = 0; i < times; ++i) {
            verdict = counters->admit(limits, v4(ip), true);
            if (verdict.ticket) {
                held.push_back(std::move(verdict.ticket));
            }
        }
        return verdict;
    };
    for (std::uint8_t ip = 1; ip <= 10; ++ip) {
        (void)begin(ip, 100);
    }
    EXPECT_LT(counters->half_open(), limits.half_open_max * 3 / 4);
    EXPECT_EQ(begin(11, 20).admission, Admission::accept);
    for (std::uint8_t ip = 12; ip <= 40; ++ip) {
        (void)begin(ip, 100);
    }
    const AdmissionVerdict more = begin(40, 1);
    EXPECT_EQ(more.admission, Admission::refuse);
    EXPECT_EQ(limit_key(*more.struck), "limits.half_open_max");
    EXPECT_LT(counters->half_open(), limits.half_open_max);
    EXPECT_EQ(begin(41, 1).admission, Admission::accept);
    for (Ticket& ticket : held) {
        (void)ticket.established(1000);
    }
    EXPECT_EQ(counters->half_open(), 0U);
    EXPECT_EQ(begin(251, 50).admission, Admission::accept);
    held.clear();
    EXPECT_EQ(counters->entries(), 0U);
}

TEST(Counters, ForgedAddressesTakeAQuarterOfFewConnections) {
    EndpointLimits limits;
    limits.connections_max = 8;
    const auto counters = Counters::create();
    std::vector<Ticket> forged;
    for (std::uint8_t ip = 1; ip <= 2; ++ip) {
        forged.push_back(counters->admit(limits, v4(ip), false).ticket);
        EXPECT_TRUE(forged.back());
    }
    EXPECT_EQ(counters->admit(limits, v4(3), false).admission, Admission::retry);
    EXPECT_EQ(counters->admit(limits, v4(3), true).admission, Admission::accept);
}

TEST(Counters, ForgedAddressesDoNotUseUpTheQuotaOfTheirOwner) {
    EndpointLimits limits = small();
    limits.half_open_retry = 100;
    limits.half_open_max = 100;
    limits.connections_max = 400;
    const auto counters = Counters::create();
    std::vector<Ticket> forged;
    for (int i = 0; i < 50; ++i) {
        forged.push_back(counters->admit(limits, v4(1), false).ticket);
        EXPECT_TRUE(forged.back());
    }
    AdmissionVerdict owner = counters->admit(limits, v4(1), true);
    EXPECT_EQ(owner.admission, Admission::accept);
    // A handshake that ends is proof; too many of them are seen then.
    EXPECT_TRUE(forged[0].established(3));
    EXPECT_TRUE(forged[1].established(3));
    EXPECT_FALSE(forged[2].established(3));
    EXPECT_EQ(counters->of_ip(v4(1)), 4U);
}

TEST(Counters, Ipv6IsCountedByThe56) {
    const auto counters = Counters::create();
    std::array<std::uint8_t, 16> ip{0x20, 0x01, 0x0d, 0xb8, 0, 1, 2, 3};
    std::vector<Ticket> held;
    for (std::uint8_t i = 0; i < 3; ++i) {
        ip[7] = i;  // below the /56
        ip[15] = i;
        held.push_back(counters->admit(small(), SocketAddress::v6(ip, i), true).ticket);
        EXPECT_TRUE(held.back());
        EXPECT_TRUE(held.back().established(3));
    }
    EXPECT_EQ(counters->admit(small(), SocketAddress::v6(ip, 9), true).admission,
              Admission::refuse);
    ip[6] ^= 1;
    EXPECT_EQ(counters->admit(small(), SocketAddress::v6(ip, 9), true).admission,
              Admission::accept);
}

TEST(Counters, IdentitiesAreCountedAcrossAddresses) {
    const auto counters = Counters::create();
    Ticket a = counters->admit(small(), v4(1), true).ticket;
    Ticket b = counters->admit(small(), v4(2), true).ticket;
    Ticket c = counters->admit(small(), v4(3), true).ticket;
    EXPECT_TRUE(a.claim_identity("alice", 2));
    EXPECT_TRUE(b.claim_identity("alice", 2));
    EXPECT_FALSE(c.claim_identity("alice", 2));
    EXPECT_FALSE(c.claim_identity("nobody may", 0));
    EXPECT_TRUE(c.claim_identity("bob", 2));
    a = Ticket();
    EXPECT_EQ(counters->of_identity("alice"), 1U);
}

TEST(Counters, ConnectionsWithoutAnAddressAreNotCountedByIp) {
    const auto counters = Counters::create();
    std::vector<Ticket> held;
    for (int i = 0; i < 4; ++i) {
        held.push_back(counters->admit(small(), SocketAddress(), true).ticket);
        EXPECT_TRUE(held.back());
        EXPECT_TRUE(held.back().established(3));
    }
    EXPECT_EQ(counters->entries(), 0U);
}

TEST(Counters, NothingLeaksOnAnyPath) {
    const auto counters = Counters::create();
    std::mt19937 random(1);
    std::vector<Ticket> held;
    for (int step = 0; step < 20'000; ++step) {
        switch (random() % 4) {
            case 0:
            case 1: {
                const auto ip = static_cast<std::uint8_t>(random() % 5);
                auto verdict = counters->admit(small(), v4(ip), random() % 2 == 0);
                held.push_back(std::move(verdict.ticket));
                break;
            }
            case 2:
                if (!held.empty()) {
                    Ticket& ticket = held[random() % held.size()];
                    (void)ticket.established(3);
                    if (ticket) {
                        (void)ticket.claim_identity(std::to_string(random() % 3), 2);
                    }
                }
                break;
            default:
                if (!held.empty()) {
                    std::swap(held[random() % held.size()], held.back());
                    held.pop_back();
                }
        }
        ASSERT_LE(counters->connections(), small().connections_max);
        ASSERT_LE(counters->half_open(), small().half_open_max);
    }
    held.clear();
    EXPECT_EQ(counters->connections(), 0U);
    EXPECT_EQ(counters->half_open(), 0U);
    EXPECT_EQ(counters->entries(), 0U);
}

}  // namespace
}  // namespace alknet
