#include "tls_connection.hpp"

namespace alknet {

std::shared_ptr<StreamConnection> make_tls_connection(Loop& loop,
                                                      std::unique_ptr<tls::TlsStream> stream,
                                                      const TlsConnectionOptions& how) {
    StreamConnectionOptions options;
    options.info = stream->info();
    options.info.transport = Transport::tcp;
    options.info.server_side = how.server_side;
    options.info.http3_beside = how.http3_beside;
    options.info.local = how.tcp.local;
    options.info.remote = how.tcp.remote;
    options.info.proxy = how.tcp.proxy;
    options.idle_timeout = how.idle_timeout;
    options.exporter = [tls = stream.get()](std::string_view label, BytesView context,
                                            MutableBytes out) {
        return tls->export_keying_material(label, context, out);
    };
    options.deny = [tls = stream.get()] { return tls->deny(); };
    return make_stream_connection(loop, std::move(stream), std::move(options));
}

}  // namespace alknet
