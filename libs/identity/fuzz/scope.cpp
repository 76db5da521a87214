// Any octets as a scope, a fingerprint and a name: what is accepted has one text, which is accepted
// again, and that of a key gives the key; a grant covers itself if it is exact, and nothing wild is
// ever covered.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/bytes.hpp>
#include <alknet/identity/fingerprint.hpp>
#include <alknet/identity/names.hpp>
#include <alknet/identity/scope.hpp>

namespace {

using namespace alknet;
using namespace alknet::identity;

void check_scope(const Scope& scope) {
    const auto again = Scope::parse(scope.text());
    ALKNET_ASSERT(again && *again == scope);
    ALKNET_ASSERT(covers(scope, scope) == scope.exact() || scope.resource.ends_with("/*"));
    const Scope all{.service = "*", .action = "*", .resource = "*"};
    ALKNET_ASSERT(covers(all, scope) == scope.exact());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = as_text(view_octets(data, size));
    const std::string_view first = text.substr(0, text.find('\n'));
    const std::string_view second = text.substr(std::min(first.size() + 1, text.size()));
    const auto grant = Scope::parse(first);
    const auto wanted = Scope::parse_exact(second);
    if (grant) {
        check_scope(*grant);
    }
    if (grant && wanted && covers(*grant, *wanted)) {
        ALKNET_ASSERT(grant->service == "*" || grant->service == wanted->service);
        ALKNET_ASSERT(!grant->resource.empty() || wanted->resource.empty());
    }
    if (const auto resource = ServiceResource::parse(first)) {
        ALKNET_ASSERT(resource->text() == first);
    }
    if (const auto fingerprint = parse_fingerprint(text)) {
        ALKNET_ASSERT(parse_fingerprint(*fingerprint).value() == *fingerprint);
        ALKNET_ASSERT(fingerprint_aliases(*fingerprint).front() == *fingerprint);
        const std::string named = with_principal(*fingerprint, "bob");
        ALKNET_ASSERT(parse_fingerprint(named).value() == named);
        if (const auto key = key_of_fingerprint(*fingerprint)) {
            ALKNET_ASSERT(key->fingerprint() == *fingerprint);
            ALKNET_ASSERT(key_id(*key) != KeyId{});
        }
    }
    if (check_name(first)) {
        ALKNET_ASSERT(!name_skeleton(first).empty());
    }
    (void)name_skeleton(text);
    return 0;
}
