#include <algorithm>
#include <alknet/base/causes_audit.hpp>
#include <alknet/base/encoding.hpp>
#include <alknet/base/number.hpp>
#include <alknet/base/utf8.hpp>
#include <alknet/crypto/digest.hpp>
#include <alknet/identity/audit_record.hpp>

namespace alknet::identity {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kHeadMark = "alknet-audit-head 1 ";
constexpr std::size_t kSeqDigits = 20;

void append_unit(std::string& out, std::uint32_t unit) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) {
        out.push_back(kHex[(unit >> shift) & 0xf]);
    }
}

void append_point(std::string& out, char32_t point) {
    constexpr char32_t kFirstAstral = 0x10000;
    if (point == '"' || point == '\\') {
        out.push_back('\\');
        out.push_back(static_cast<char>(point));
    } else if (point >= ' ' && point <= '~') {
        out.push_back(static_cast<char>(point));
    } else if (point < kFirstAstral) {
        append_unit(out, point);
    } else {
        const char32_t rest = point - kFirstAstral;
        append_unit(out, 0xd800 + (rest >> 10));
        append_unit(out, 0xdc00 + (rest & 0x3ff));
    }
}

void append_text(std::string& out, std::string_view text) {
    out.push_back('"');
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        append_point(out, point.value);
        text.remove_prefix(point.size);
    }
    out.push_back('"');
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    append_text(out, value);
}

void append_utf8(std::string& out, std::uint32_t point) {
    const auto tail = [&](int shift) {
        out.push_back(static_cast<char>(0x80 | ((point >> shift) & 0x3f)));
    };
    if (point < 0x80) {
        out.push_back(static_cast<char>(point));
    } else if (point < 0x800) {
        out.push_back(static_cast<char>(0xc0 | (point >> 6)));
        tail(0);
    } else if (point < 0x10000) {
        out.push_back(static_cast<char>(0xe0 | (point >> 12)));
        tail(6);
        tail(0);
    } else {
        out.push_back(static_cast<char>(0xf0 | (point >> 18)));
        tail(12);
        tail(6);
        tail(0);
    }
}

// Understands enough to give back what was written; that nothing else was is seen by writing it
// again.
class Reader {
public:
    explicit Reader(std::string_view text) noexcept : rest_(text) {}

    bool skip(std::string_view expected) noexcept {
        if (!rest_.starts_with(expected)) {
            ok_ = false;
            return false;
        }
        rest_.remove_prefix(expected.size());
        return true;
    }
    std::string_view until(char end) noexcept {
        const std::size_t at = rest_.find(end);
        if (at == std::string_view::npos) {
            ok_ = false;
            return {};
        }
        const std::string_view taken = rest_.substr(0, at);
        rest_.remove_prefix(at);
        return taken;
    }
    std::string text() {
        std::string out;
        skip("\"");
        while (ok_ && !rest_.starts_with('"')) {
            if (rest_.empty()) {
                ok_ = false;
            } else if (rest_.front() == '\\') {
                escape(out);
            } else {
                out.push_back(rest_.front());
                rest_.remove_prefix(1);
            }
        }
        skip("\"");
        return out;
    }
    [[nodiscard]] bool at(char c) const noexcept { return ok_ && rest_.starts_with(c); }
    [[nodiscard]] bool ended() const noexcept { return ok_ && rest_.empty(); }

private:
    std::uint32_t unit() noexcept {
        const auto value = parse_number<std::uint32_t>(rest_.substr(0, 4), 16);
        if (!skip("") || rest_.size() < 4 || !value) {
            ok_ = false;
            return 0;
        }
        rest_.remove_prefix(4);
        return *value;
    }
    void escape(std::string& out) {
        rest_.remove_prefix(1);
        if (!rest_.starts_with('u')) {
            out.push_back(rest_.empty() ? '\0' : rest_.front());
            rest_.remove_prefix(std::min<std::size_t>(rest_.size(), 1));
            return;
        }
        rest_.remove_prefix(1);
        std::uint32_t point = unit();
        if (point >= 0xd800 && point < 0xdc00 && skip("\\u")) {
            point = 0x10000 + ((point - 0xd800) << 10) + (unit() & 0x3ff);
        }
        append_utf8(out, point);
    }

    std::string_view rest_;
    bool ok_ = true;
};

bool is_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= kAuditNameBytesMax &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
           });
}

bool is_time(std::string_view time) noexcept {
    constexpr std::string_view kShape = "0000-00-00T00:00:00.000Z";
    return time.size() == kShape.size() && std::ranges::equal(time, kShape, [](char a, char shape) {
               return shape == '0' ? a >= '0' && a <= '9' : a == shape;
           });
}

std::optional<AuditRecord> read(std::string_view line) {
    Reader in(line);
    AuditRecord record;
    in.skip("{\"seq\":");
    const auto seq = parse_plain_number<std::uint64_t>(in.until(','));
    in.skip(",\"prev\":");
    const auto prev = parse_audit_digest(in.text());
    in.skip(",\"time\":");
    record.time = in.text();
    in.skip(",\"event\":");
    record.event = in.text();
    while (in.at(',') && record.fields.size() < kAuditFieldsMax) {
        in.skip(",");
        std::string name = in.text();
        in.skip(":");
        record.fields.emplace_back(std::move(name), in.text());
    }
    in.skip("}");
    if (!in.ended() || !seq || !prev || *seq == 0) {
        return std::nullopt;
    }
    record.seq = *seq;
    record.prev = *prev;
    return record;
}

}  // namespace

std::optional<AuditDigest> parse_audit_digest(std::string_view text) {
    const auto bytes = hex_decode(text);
    AuditDigest digest{};
    if (!bytes || bytes->size() != digest.size()) {
        return std::nullopt;
    }
    std::ranges::copy(*bytes, digest.begin());
    return digest;
}

std::string_view AuditRecord::field(std::string_view name) const noexcept {
    const auto found =
        std::ranges::find_if(fields, [&](const auto& field) { return field.first == name; });
    return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

std::string encode_audit_record(const AuditRecord& record) {
    std::string line = "{\"seq\":" + std::to_string(record.seq);
    append_member(line, "prev", hex_encode(record.prev));
    append_member(line, "time", record.time);
    append_member(line, "event", record.event);
    for (const auto& [name, value] : record.fields) {
        append_member(line, name, value);
    }
    line.push_back('}');
    return line;
}

result<AuditRecord> decode_audit_record(std::string_view line) {
    if (line.size() > kAuditLineBytesMax) {
        return fail(causes::kAuditBroken, "a line is longer than records are");
    }
    auto record = read(line);
    const bool well_named =
        record && is_time(record->time) && is_name(record->event) &&
        std::ranges::all_of(record->fields, is_name, &std::pair<std::string, std::string>::first);
    if (!well_named || encode_audit_record(*record) != line) {
        return fail(causes::kAuditBroken, "a line is no record");
    }
    return *std::move(record);
}

AuditDigest audit_digest(std::string_view line) {
    return crypto::sha256(as_bytes(line));
}

std::string encode_audit_head(const AuditHead& head) {
    const std::string seq = std::to_string(head.seq);
    std::string text(kHeadMark);
    text.append(kSeqDigits - seq.size(), '0').append(seq);
    text.append(" ").append(hex_encode(head.digest)).append("\n");
    return text;
}

result<AuditHead> decode_audit_head(std::string_view text) {
    if (text.starts_with(kHeadMark) && text.size() > kHeadMark.size() + kSeqDigits) {
        const auto seq = parse_number<std::uint64_t>(text.substr(kHeadMark.size(), kSeqDigits));
        std::string_view digits = text.substr(kHeadMark.size() + kSeqDigits + 1);
        digits = digits.substr(0, digits.find('\n'));
        const auto digest = parse_audit_digest(digits);
        if (seq && digest) {
            AuditHead head{.seq = *seq, .digest = *digest};
            if (encode_audit_head(head) == text) {
                return head;
            }
        }
    }
    return fail(causes::kAuditBroken, "the head is no head");
}

}  // namespace alknet::identity
