#include "tls_connection.hpp"

namespace alknet {

std::shared_ptr<StreamConnection> make_tls_connection(Loop& loop,
                                                      std::unique_ptr<tls::TlsStream> stream,
                                                      const net::TcpStream& tcp,
                                                      Duration idle_timeout, bool server_side) {
    StreamConnectionOptions options;
    options.info = stream->info();
    options.info.transport = Transport::tcp;
    options.info.server_side = server_side;
    options.info.local = tcp.local;
    options.info.remote = tcp.remote;
    options.info.proxy = tcp.proxy;
    options.idle_timeout = idle_timeout;
    options.exporter = [tls = stream.get()](std::string_view label, BytesView context,
                                            MutableBytes out) {
        return tls->export_keying_material(label, context, out);
    };
    options.deny = [tls = stream.get()] { return tls->deny(); };
    return make_stream_connection(loop, std::move(stream), std::move(options));
}

}  // namespace alknet
