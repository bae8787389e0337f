"""The connection of a Triton model's process: frames go out from any thread; one thread takes those that come in, and
hands each to who waits for it. `triton/python/messages.ts` is the other end."""

import itertools
import threading
import weakref
from queue import SimpleQueue

# What the server sends.
PREPARE, INITIALIZE, EXECUTE, CANCEL, CALL_REPLY, ASK_READINESS = range(1, 7)
# Stands for a frame when the server is gone.
END = 0
# What the process sends.
STARTED, PREPARED, LOADED, LOAD_FAILED, EXECUTED, RESPONSE, CALL, END_CALL, LOG, METRIC, READINESS = range(1, 12)

# A reply with more is the end of the channel; see channel.ts.
BODY_BYTES_MAX = 1000 * 1024 * 1024


class Link:
    def __init__(self, channel):
        self._channel = channel
        self._ids = itertools.count(1)
        self._calls = {}
        self._requests = weakref.WeakValueDictionary()
        self._ask_readiness = lambda: True
        # Frames for the thread that runs user code.
        self.work = SimpleQueue()

    def start(self, ask_readiness) -> None:
        self._ask_readiness = ask_readiness
        threading.Thread(target=self._receive, name="berth-channel", daemon=True).start()

    def send(self, kind, call_id, head, parts=()):
        if parts and sum(memoryview(part).nbytes for part in parts) > BODY_BYTES_MAX:
            raise ValueError("the tensors of one message have more than %d bytes" % BODY_BYTES_MAX)
        self._channel.send(kind, call_id, head, *parts)

    def call(self, head, parts, take):
        """Asks the server for something; `take(head, body)` hears each reply in the receiving thread, until one is final.

        Returns the number of the call.
        """
        number = next(self._ids) & 0xFFFFFFFF
        self._calls[number] = take
        self.send(CALL, number, head, parts)
        return number

    def ask(self, head, parts=()):
        """Asks and waits for the one reply, as (head, body)."""
        answers = SimpleQueue()
        self.call(head, parts, lambda *answer: answers.put(answer))
        return answers.get()

    def end_call(self, number) -> None:
        """Nobody waits for the replies of this call any more."""
        if self._calls.pop(number, None) is not None:
            self.send(END_CALL, number, {})

    def watch(self, number, state) -> None:
        """Hands a cancellation of the request to `state.is_cancelled`, while somebody holds the state."""
        self._requests[number] = state

    def _receive(self):
        while True:
            frame = self._channel.receive()
            if frame is None:
                self.work.put((END, 0, None, None))
                return
            kind, call_id, head, body = frame
            if kind == CALL_REPLY:
                take = self._calls.get(call_id) if not head["isFinal"] else self._calls.pop(call_id, None)
                if take is not None:
                    take(head, body)
            elif kind == CANCEL:
                state = self._requests.get(call_id)
                if state is not None:
                    state.is_cancelled = True
            elif kind == ASK_READINESS:
                threading.Thread(target=self._tell_readiness, args=(call_id,), daemon=True).start()
            else:
                self.work.put(frame)

    def _tell_readiness(self, call_id):
        self.send(READINESS, call_id, {"isReady": self._ask_readiness()})


# Of the one model that this process serves.
_link = None


def set_link(link) -> None:
    global _link
    _link = link


def get_link() -> Link:
    return _link
