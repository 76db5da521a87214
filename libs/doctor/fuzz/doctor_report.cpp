// Reports and frames from anybody. A report that is accepted is written back and read again as the
// same; frames come out the same however their octets are cut.
#include <algorithm>
#include <alknet/base/assert.hpp>
#include <alknet/base/causes.hpp>
#include <alknet/doctor/frames.hpp>
#include <alknet/doctor/report.hpp>

namespace {

using namespace alknet;
using namespace alknet::doctor;

struct Read {
    std::size_t frames = 0;
    std::size_t octets = 0;
    bool refused = false;
};

/// A body that is accepted is written back and read again as the same.
template <class Body>
void written_back(const result<Body>& body, result<Body> (*decode)(BytesView)) {
    if (body) {
        const Bytes frame = encode(*body);
        const auto again = decode(BytesView(frame).subspan(kFrameHeaderBytes));
        ALKNET_ASSERT(again && *again == *body);
    }
}

Read read_frames(BytesView bytes, std::size_t step) {
    FrameReader reader;
    Read read;
    while (!bytes.empty()) {
        const MutableBytes room = reader.room();
        const std::size_t size = std::min({step, bytes.size(), room.size()});
        std::copy_n(bytes.begin(), size, room.begin());
        reader.filled(size);
        bytes = bytes.subspan(size);
        for (;;) {
            const auto frame = reader.next();
            if (!frame) {
                ALKNET_ASSERT(frame.error().is(causes::kProtocol));
                read.refused = true;
                return read;
            }
            if (!*frame) {
                break;
            }
            ++read.frames;
            read.octets += (*frame)->body.size();
            written_back(decode_seen((*frame)->body), decode_seen);
            written_back(decode_counted((*frame)->body), decode_counted);
            written_back(decode_download((*frame)->body), decode_download);
        }
    }
    return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes = view_octets(data, size);
    if (const auto report = decode_report(bytes)) {
        ALKNET_ASSERT(report->checks.size() <= Report::kChecksMax);
        ALKNET_ASSERT(report->ways.size() <= Report::kWaysMax);
        const Bytes again = encode_report(*report);
        ALKNET_ASSERT(again.size() <= Report::kBytesMax);
        const auto decoded = decode_report(again);
        ALKNET_ASSERT(decoded && *decoded == *report);
    }
    const Read whole = read_frames(bytes, bytes.size());
    const Read pieces = read_frames(bytes, 3);
    ALKNET_ASSERT(whole.frames == pieces.frames && whole.octets == pieces.octets &&
                  whole.refused == pieces.refused);
    return 0;
}
