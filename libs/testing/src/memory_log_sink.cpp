#include <algorithm>
#include <alknet/testing/memory_log_sink.hpp>
#include <type_traits>

namespace alknet::sim {

namespace {

std::string text_of(const LogValue& value) {
    return std::visit(
        [](const auto& held) -> std::string {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, std::string_view>) {
                return std::string(held);
            } else if constexpr (std::is_same_v<Held, bool>) {
                return held ? "true" : "false";
            } else {
                return std::to_string(held);
            }
        },
        value);
}

}  // namespace

std::string MemoryLogSink::Event::field(std::string_view key) const {
    const auto found = std::ranges::find(fields, key, &std::pair<std::string, std::string>::first);
    return found == fields.end() ? std::string() : found->second;
}

bool MemoryLogSink::enabled(LogLevel level) const noexcept {
    return level != LogLevel::off;
}

void MemoryLogSink::write(LogLevel level, std::string_view event,
                          std::span<const LogField> fields) noexcept {
    Event kept{.level = level, .name = std::string(event), .fields = {}};
    for (const LogField& field : fields) {
        kept.fields.emplace_back(std::string(field.key), text_of(field.value));
    }
    const std::lock_guard lock(mutex_);
    if (events_.size() < kEventsMax) {
        events_.push_back(std::move(kept));
    }
    written_.notify_all();
}

std::vector<MemoryLogSink::Event> MemoryLogSink::events() const {
    const std::lock_guard lock(mutex_);
    return events_;
}

std::size_t MemoryLogSink::count(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(events_, name, &Event::name));
}

const MemoryLogSink::Event* MemoryLogSink::find_last(std::string_view name, std::string_view key,
                                                     std::string_view value) const {
    for (auto event = events_.rbegin(); event != events_.rend(); ++event) {
        if (event->name == name && (key.empty() || event->field(key) == value)) {
            return &*event;
        }
    }
    return nullptr;
}

std::optional<MemoryLogSink::Event> MemoryLogSink::last(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const Event* found = find_last(name);
    return found == nullptr ? std::nullopt : std::optional(*found);
}

MemoryLogSink::Event MemoryLogSink::wait_for(std::string_view name, std::string_view key,
                                             std::string_view value) const {
    std::unique_lock lock(mutex_);
    written_.wait(lock, [&] { return find_last(name, key, value) != nullptr; });
    return *find_last(name, key, value);
}

}  // namespace alknet::sim
