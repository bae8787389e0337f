"""The worker's end of the channel to the model server. `channel.ts` is the other end and describes the frames."""

import json
import os
import signal
import socket
import struct
import sys
import threading

_HEAD = struct.Struct("<IBII")


class Cancelled(BaseException):
    """Nobody waits for the call any more. Not an Exception, so that `except Exception` in user code lets it pass."""


class Channel:
    """Frames in and out, one call at a time, and the signal by which the server cancels that call."""

    def __init__(self, descriptor: int):
        self._socket = socket.socket(fileno=descriptor)
        # What user code starts must not hold the channel open.
        os.set_inheritable(descriptor, False)
        self._is_cancellable = False
        self._is_cancelled = False
        self._sending = threading.Lock()
        signal.signal(signal.SIGUSR2, self._on_cancel)
        # The whole process group is told to stop; the server drains first, and ends the channel when it has.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def receive(self):
        """The next frame as (kind, call id, head, body), or None when the server is gone."""
        start = self._read(_HEAD.size)
        if start is None:
            return None
        frame_bytes, kind, call_id, head_bytes = _HEAD.unpack(start)
        rest = self._read(frame_bytes - (_HEAD.size - 4))
        if rest is None:
            return None
        # A signal that came too late was for the call before.
        self._is_cancelled = False
        return kind, call_id, json.loads(rest[:head_bytes]), memoryview(rest)[head_bytes:]

    def send(self, kind: int, call_id: int, head, *parts) -> None:
        """Blocks while the server does not read: so a slow caller slows a stream down. Any thread may send.

        The parts, bytes or buffers of them, are the body, one behind the other.
        """
        encoded = json.dumps(head).encode()
        body_bytes = sum(memoryview(part).nbytes for part in parts)
        start = _HEAD.pack(_HEAD.size - 4 + len(encoded) + body_bytes, kind, call_id, len(encoded))
        with self._sending:
            if body_bytes <= 65536:
                self._socket.sendall(b"".join((start, encoded, *parts)))
                return
            self._socket.sendall(start + encoded)
            for part in parts:
                self._socket.sendall(part)

    def cancellable(self):
        """A block of user code that {@link Cancelled} may interrupt. Nothing is sent or received in it."""
        return _Cancellable(self)

    def _on_cancel(self, *_):
        # While something is sent it waits: half a frame would be the end of the channel.
        self._is_cancelled = True
        if self._is_cancellable:
            self._is_cancellable = False
            raise Cancelled()

    def _read(self, byte_count: int):
        data = bytearray(byte_count)
        view = memoryview(data)
        while len(view) > 0:
            received = self._socket.recv_into(view)
            if received == 0:
                return None
            view = view[received:]
        return data


class _Cancellable:
    def __init__(self, channel: Channel):
        self._channel = channel

    def __enter__(self):
        self._channel._is_cancellable = True
        if self._channel._is_cancelled:
            self._channel._is_cancellable = False
            raise Cancelled()

    def __exit__(self, *_):
        self._channel._is_cancellable = False


def leave(exit_code: int) -> None:
    """Ends the process at once: threads of user code must not hold it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
