// What handlers see of one request and say to it, whatever version of HTTP carries both.
#pragma once

#include <alknet/base/bytes.hpp>
#include <alknet/base/result.hpp>
#include <alknet/core/auth.hpp>
#include <alknet/http/message.hpp>
#include <alknet/net/stream.hpp>
#include <alknet/rt/task.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace alknet::http {

/// Octets that are pulled, by whoever has room for them: so a slow end slows the other one down.
class BodySource {
public:
    virtual ~BodySource() = default;
    /// At least one octet into `into`, which is not empty; 0: that was all.
    virtual task<result<std::size_t>> read(MutableBytes into) = 0;
    /// Its reads do not wait, as those of a file: its first octets may leave with the head.
    [[nodiscard]] virtual bool is_at_hand() const noexcept { return false; }
    /// What came behind the content, once `read` has given 0. Of a request: without those that a
    /// trailer must not say. Of a response: sent where the client takes it (see takes_trailers).
    [[nodiscard]] virtual Fields trailers() const { return {}; }
    /// Awaited once nothing more is read, of whatever was read from: also when the client has gone.
    virtual task<void> close() { co_return; }
};

/// Lives until its response has been sent.
struct Request {
    RequestHead head;
    /// The content. Errors: kLimit, kProtocol, kTimeout, kClosed; the client is then told why by
    /// the engine, whatever the handler answers.
    BodySource& body;
    const AuthContext& auth;
    std::string_view trace_id;
    SocketAddress local{};                // what the client has connected to
    std::vector<std::string> segments{};  // of the path, decoded
    bool directory = false;               // the path ends in "/"
    /// What the pattern of the route has named.
    std::map<std::string, std::string, std::less<>> parameters{};
    /// Whom its token names, where one was asked for and is accepted.
    std::optional<Identity> by_token{};

    /// Whose it is; nullopt: a stranger's.
    [[nodiscard]] const std::optional<Identity>& caller() const noexcept {
        return by_token ? by_token : auth.identity;
    }
};

/// Whether the client takes trailers (RFC 9110 section 10.1.4): others would not miss them, and on
/// HTTP/1.1 some would take them for the next answer.
[[nodiscard]] bool takes_trailers(const RequestHead& head);

/// Octets both ways after the head of an answer, for as long as it runs.
using Tunnel = std::function<task<result<void>>(BiStream&)>;

struct Response {
    int status = 200;
    Fields fields{};
    std::string content{};  // unless there is a source
    std::unique_ptr<BodySource> source{};
    std::optional<std::uint64_t> source_size{};  // nullopt: until it says so
    /// In place of content, with status 101 (which is 200 from HTTP/2 on).
    Tunnel tunnel{};
    std::string by_token{};  // the id of whom a token has named, for the log
};

/// Runs below a Cancel that is requested when the client has gone. An error becomes the page that
/// `failure_response` makes of it.
using Handler = std::function<task<result<Response>>(Request&)>;

/// A page that says what happened and what to do, as HTML for browsers and as text for the rest.
[[nodiscard]] Response page(const RequestHead& head, int status, std::string_view what,
                            std::string_view next);
/// By the error's condition. Its detail stays here: it may say more than the client may know.
[[nodiscard]] Response failure_response(const RequestHead& head, const error& why);
[[nodiscard]] Response text_response(int status, std::string text);

/// Reads a body to its end. Errors: its own; kLimit beyond `bytes_max`.
[[nodiscard]] task<result<std::string>> read_all(BodySource& body, std::size_t bytes_max);

}  // namespace alknet::http
