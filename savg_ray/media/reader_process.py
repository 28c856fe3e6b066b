"""The child of `SafeReader`: reads one file after another for its parent, and ends with it."""

import sys
import time
from multiprocessing.connection import Connection


def serve(connection: Connection) -> None:
    """Answer (function, path) with (result or exception, CPU seconds) until the parent hangs up."""
    while True:
        try:
            read, path = connection.recv()
        except EOFError:
            return
        started = time.process_time()
        try:
            outcome = read(path)
        except Exception as error:
            outcome = error
        connection.send((outcome, time.process_time() - started))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
