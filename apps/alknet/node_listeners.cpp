// What a node listens on, and how a reload changes it in place.
#include "node.hpp"

#include <algorithm>
#include <alknet/base/causes.hpp>
#include <optional>
#include <utility>

namespace alknet::app {

namespace {

constexpr Duration kListenRetryDelay = std::chrono::seconds(1);

/// A listener that is wanted, and the one that becomes it.
struct Wanted {
    ListenerOptions options;
    std::optional<Listening> old;
};

/// Gives listeners that are wanted those of `open` that have their address: everything else can be
/// changed in place. Of a free port the name says which one is meant.
void claim(std::vector<Wanted>& wanted, std::vector<Listening>& open, bool by_name) {
    for (Wanted& one : wanted) {
        const auto found = std::ranges::find_if(open, [&](const Listening& listening) {
            return listening.options.address == one.options.address &&
                   (by_name ? listening.options.name == one.options.name
                            : one.options.address.port() != 0);
        });
        if (!one.old && found != open.end()) {
            one.old = std::move(*found);
            open.erase(found);
        }
    }
}

}  // namespace

std::vector<ListenerOptions> listener_options(const std::vector<config::Listener>& listeners) {
    std::vector<ListenerOptions> all;
    for (const config::Listener& listener : listeners) {
        for (std::size_t i = 0; i < listener.addresses.size(); ++i) {
            all.push_back(
                {.name = i == 0 ? listener.name : listener.name + "/" + std::to_string(i + 1),
                 .address = listener.addresses[i],
                 .quic = listener.quic,
                 .tcp = listener.tcp,
                 .alpns = listener.alpns,
                 .congestion = listener.congestion,
                 .proxies = listener.proxies,
                 .unknown_alpn = listener.unknown_alpn});
        }
    }
    return all;
}

result<std::vector<Listening>> Node::listen() {
    const auto& listeners =
        options_.listeners.empty() ? config_.dynamic.listeners : options_.listeners;
    for (ListenerOptions& options : listener_options(listeners)) {
        ALKNET_TRY(Listening opened, open(std::move(options), next_key()));
        listening_.push_back(std::move(opened));
    }
    publish_listening();
    return listening_;
}

result<Listening> Node::open(ListenerOptions options, std::string key) {
    ListenerOptions keyed = options;
    keyed.name = key;
    auto bound = endpoint_->listen(keyed);
    const bool everywhere =
        options.address.family() == SocketAddress::Family::v6 && options.address.is_any();
    if (!bound && everywhere && !bound.error().is(causes::kAddressInUse)) {
        // A system without IPv6, most likely: then this is what is left of everywhere.
        keyed.address = SocketAddress::v4({}, options.address.port());
        if (const auto bound_v4 = endpoint_->listen(keyed)) {
            log_.warn("listener.no_ipv6",
                      {{"listener", options.name}, {"detail", bound.error().detail()}});
            return Listening{
                .options = std::move(options), .bound = *bound_v4, .key = std::move(key)};
        }
    }
    if (!bound) {
        return unexpected(std::move(bound).error());
    }
    return Listening{.options = std::move(options), .bound = *bound, .key = std::move(key)};
}

std::vector<SocketAddress> Node::listening() const {
    std::vector<SocketAddress> all;
    for (const Listening& one : listening_) {
        all.push_back(one.bound);
    }
    return all;
}

void Node::apply_listeners(const std::vector<config::Listener>& listeners) {
    std::vector<Wanted> wanted;
    for (ListenerOptions& options : listener_options(listeners)) {
        wanted.push_back({.options = std::move(options), .old = std::nullopt});
    }
    std::vector<Listening> before = std::exchange(listening_, {});
    claim(wanted, before, true);
    claim(wanted, before, false);
    missing_.clear();
    for (const Listening& old : before) {
        endpoint_->unlisten(old.key);
        log_.info("listener.closed",
                  {{"listener", old.options.name}, {"local_addr", old.bound.to_string()}});
    }
    for (Wanted& one : wanted) {
        if (one.old) {
            change(listening_.emplace_back(std::move(*one.old)), std::move(one.options));
        } else {
            open_or_retry(std::move(one.options));
        }
    }
    publish_listening();
}

void Node::publish_listening() {
    listening_now_.set(std::make_shared<const std::vector<Listening>>(listening_));
}

void Node::change(Listening& listening, ListenerOptions options) {
    auto changed = open(options, listening.key);
    if (changed) {
        listening = std::move(*changed);
        return;
    }
    const error& why = changed.error();
    log_.error("listener.failed", {{"listener", options.name},
                                   {"id", why.cause().id},
                                   {"detail", why.detail()},
                                   {"effect", "it stays as it was"}});
}

void Node::open_or_retry(ListenerOptions options) {
    auto opened = open(options, next_key());
    if (opened) {
        log_.info("listener.opened",
                  {{"listener", options.name}, {"local_addr", opened->bound.to_string()}});
        listening_.push_back(std::move(*opened));
        return;
    }
    const error& why = opened.error();
    log_.error("listener.failed", {{"listener", options.name},
                                   {"id", why.cause().id},
                                   {"detail", why.detail()},
                                   {"effect", "it is tried again every second"}});
    missing_.push_back(std::move(options));
    listeners_missing_.set();
}

task<result<void>> Node::retry_listeners() {
    for (;;) {
        ALKNET_CO_CHECK(co_await listeners_missing_.wait());
        ALKNET_CO_CHECK(co_await loop_.sleep(kListenRetryDelay));
        std::erase_if(missing_, [this](const ListenerOptions& options) {
            auto opened = open(options, next_key());
            if (opened) {
                log_.info("listener.opened",
                          {{"listener", options.name}, {"local_addr", opened->bound.to_string()}});
                listening_.push_back(std::move(*opened));
            }
            return opened.has_value();
        });
        publish_listening();
        if (missing_.empty()) {
            listeners_missing_.clear();
        }
    }
}

}  // namespace alknet::app
