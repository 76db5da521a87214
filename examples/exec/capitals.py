"""A service of an alknet node in Python: it sends back what it hears, in capitals.

The node hands a listening socket over as descriptor 3; each stream that a peer opens is one
connection to it, and each direction ends by itself.
"""

import socket
import threading


def serve(connection):
    with connection:
        while chunk := connection.recv(65536):
            connection.sendall(chunk.upper())


def main():
    listener = socket.socket(fileno=3)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
