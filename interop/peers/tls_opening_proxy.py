"""A CONNECT proxy that opens TLS with a certificate of its own, as some companies' do.

    tls_opening_proxy.py ADDRESS PORT CERT.PEM KEY.PEM      prints `ready`

Relays what it reads in the clear, so that a client that believes it would notice nothing.
"""

import socket
import ssl
import sys
import threading

PIECE_BYTES = 65536


def read_head(client):
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 8192:
        piece = client.recv(1)
        if not piece:
            break
        head += piece
    return head


def copy(source, sink):
    try:
        while piece := source.recv(PIECE_BYTES):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, own):
    host, _, port = read_head(client).split()[1].decode().rpartition(":")
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        inner = own.wrap_socket(client, server_side=True)
    except (ssl.SSLError, OSError) as error:
        print(f"refused: {error}", flush=True)
        return
    print("opened", flush=True)
    outside = ssl.create_default_context()
    outside.check_hostname = False
    outside.verify_mode = ssl.CERT_NONE
    outside.set_alpn_protocols([inner.selected_alpn_protocol() or "alknet/echo"])
    outer = outside.wrap_socket(socket.create_connection((host.strip("[]"), int(port))))
    threading.Thread(target=copy, args=(outer, inner), daemon=True).start()
    copy(inner, outer)


def main(address, port, certificate, key):
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate, key)
    own.set_alpn_protocols(["alknet/echo"])
    listener = socket.create_server((address, int(port)))
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, own), daemon=True).start()


main(*sys.argv[1:])
