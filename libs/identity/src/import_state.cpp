#include <alknet/base/bytes.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/import_state.hpp>
#include <map>
#include <utility>

namespace alknet::identity {

namespace {

using store::Database;
using store::Row;

result<void> save_pin(Database& state, const OperationPin& pin) {
    return state.run(
        "INSERT INTO import_pin (prefix, peer, operation, accepted, offered)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " accepted = excluded.accepted, offered = excluded.offered",
        {pin.prefix, pin.peer, pin.operation, pin.accepted, pin.offered});
}

result<void> remove_pin(Database& state, const OperationPin& pin) {
    return state.run("DELETE FROM import_pin WHERE prefix = ? AND peer = ? AND operation = ?",
                     {pin.prefix, pin.peer, pin.operation});
}

using Pins = std::map<std::string, OperationPin, std::less<>>;

result<Pins> pins_of(Database& state, std::string_view prefix, std::string_view peer) {
    ALKNET_TRY(auto all, load_pins(state));
    Pins pins;
    for (OperationPin& pin : all) {
        if (pin.prefix == prefix && pin.peer == peer) {
            std::string name = pin.operation;
            pins.emplace(std::move(name), std::move(pin));
        }
    }
    return pins;
}

// What was never accepted is not worth remembering once it is gone.
result<void> withdraw(Database& state, OperationPin pin) {
    if (pin.accepted.empty()) {
        return remove_pin(state, pin);
    }
    if (pin.offered.empty()) {
        return {};
    }
    pin.offered.clear();
    return save_pin(state, pin);
}

}  // namespace

result<std::vector<OperationPin>> load_pins(Database& state) {
    ALKNET_TRY(const auto rows,
               state.query("SELECT prefix, peer, operation, accepted, offered FROM import_pin"
                           " ORDER BY prefix, peer, operation"));
    std::vector<OperationPin> pins;
    for (const Row& row : rows) {
        pins.push_back({.prefix = std::string(row.text(0)),
                        .peer = std::string(row.text(1)),
                        .operation = std::string(row.text(2)),
                        .accepted = std::string(row.text(3)),
                        .offered = std::string(row.text(4))});
    }
    return pins;
}

result<std::set<std::string, std::less<>>> offer_operations(
    Database& state, const std::string& prefix, const std::string& peer,
    const std::vector<OfferedOperation>& offered, bool may_be_first) {
    ALKNET_TRY(Pins pins, pins_of(state, prefix, peer));
    const bool first = may_be_first && pins.empty();
    std::set<std::string, std::less<>> in_force;
    for (const OfferedOperation& one : offered) {
        OperationPin pin{.prefix = prefix,
                         .peer = peer,
                         .operation = one.operation,
                         .accepted = first ? one.digest : std::string(),
                         .offered = one.digest};
        const auto known = pins.find(one.operation);
        if (known != pins.end()) {
            pin.accepted = known->second.accepted;
        }
        if (known == pins.end() || known->second != pin) {
            ALKNET_CHECK(save_pin(state, pin));
        }
        if (known != pins.end()) {
            pins.erase(known);
        }
        if (pin.in_force()) {
            in_force.insert(one.operation);
        }
    }
    for (auto& [name, gone] : pins) {
        ALKNET_CHECK(withdraw(state, std::move(gone)));
    }
    return in_force;
}

std::string waiting_digest(const std::vector<OperationPin>& pins, std::string_view prefix,
                           std::string_view peer) {
    std::string text;
    for (const OperationPin& pin : pins) {
        if (pin.prefix == prefix && pin.peer == peer && pin.waits()) {
            text.append(pin.operation).append(" ").append(pin.offered).append("\n");
        }
    }
    if (text.empty()) {
        return text;
    }
    std::string whole;
    whole.append(prefix).append("\n").append(peer).append("\n").append(text);
    return hex_encode(crypto::sha256(as_bytes(whole)));
}

result<std::size_t> accept_pins(Database& state, const std::string& prefix,
                                std::string_view digest) {
    ALKNET_TRY(const auto all, load_pins(state));
    std::size_t count = 0;
    bool waits = false;
    std::map<std::string, bool, std::less<>> meant;  // of each peer
    for (OperationPin pin : all) {
        if (pin.prefix != prefix || !pin.waits()) {
            continue;
        }
        waits = true;
        const auto [peer, is_new] = meant.try_emplace(pin.peer);
        if (is_new) {
            peer->second = waiting_digest(all, prefix, pin.peer) == digest;
        }
        if (peer->second) {
            pin.accepted = pin.offered;
            ALKNET_CHECK(save_pin(state, pin));
            ++count;
        }
    }
    if (count == 0) {
        return fail(causes::kUsage,
                    waits ? "what waits is not that, or no longer; alknet import list shows what is"
                          : "nothing waits; alknet import list shows what is");
    }
    return count;
}

result<std::size_t> remove_pins(Database& state, const std::string& prefix) {
    ALKNET_TRY(const auto all, load_pins(state));
    std::size_t count = 0;
    for (const OperationPin& pin : all) {
        if (pin.prefix == prefix) {
            ALKNET_CHECK(remove_pin(state, pin));
            ++count;
        }
    }
    return count;
}

}  // namespace alknet::identity
