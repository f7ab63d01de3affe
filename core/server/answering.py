"""The threads of the web process: they call the application and write, and never wait for a client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import Any

from gunicorn.http import wsgi

from core.http.bodies import LEFT_MOST, WHOLE
from core.server.bounds import AHEAD
from core.server.connection import Answer, Connection


class Answering:
    """Gives whole requests to the application; ``handed`` is called when one's thread is done with it.

    It is done, too, when the client does not take what was written (``one.answer`` is left): an answer that
    waits goes on later, in whichever thread is free.
    """

    def __init__(self, worker: Any, handed: Callable[[Connection], None]) -> None:
        self._worker, self._handed = worker, handed
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def start(self, threads: int) -> None:
        """Start the threads."""
        for number in range(threads):
            threading.Thread(target=self._work, name=f"request-{number}", daemon=True).start()

    def begin(self, one: Connection) -> None:
        """Have a whole request answered."""
        self._jobs.put(partial(self._begin, one))

    def go_on(self, one: Connection) -> None:
        """Have more written of an answer that waited."""
        assert one.answer is not None and one.answer.context is not None
        self._jobs.put(partial(one.answer.context.run, self._write, one))

    def drop(self, answer: Answer) -> None:
        """Have an answer closed that its client did not want to the end."""
        assert answer.context is not None
        self._jobs.put(partial(answer.context.run, self._close, answer))

    # --- in a thread

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except Exception:
                self._worker.log.exception("a request's thread failed")

    def _begin(self, one: Connection) -> None:
        worker, arriving = self._worker, one.arriving
        request, response = arriving.request, None
        try:
            if not worker.alive or arriving.unread > LEFT_MOST:
                request.force_close()
            request._expected_100_continue = False  # its body is there
            response, environ = wsgi.create(request, one.outbox, one.peer, one.server, worker.cfg)
            environ["wsgi.multithread"] = True
            environ["wsgi.input"] = arriving.body
            environ[WHOLE] = True
            if arriving.in_chunks:
                environ["CONTENT_LENGTH"] = arriving.told
            del environ["wsgi.file_wrapper"]  # sendfile would wait for the client
            worker.count()
            one.answer = Answer(response, environ, worker.wsgi(environ, response.start_response), monotonic())
        except (Exception, SystemExit) as error:
            self._failed(one, response, error)
        self._write(one)

    def _write(self, one: Connection) -> None:
        answer, outbox = one.answer, one.outbox
        one.keep = False
        try:
            if answer is not None:
                for piece in answer.pieces:
                    answer.response.write(piece)
                    if outbox.waiting > AHEAD and not outbox.flush() and outbox.waiting > AHEAD:
                        answer.context = answer.context or copy_context()
                        self._handed(one)
                        return
                answer.response.close()
                one.keep = not answer.response.should_close()
        except (Exception, SystemExit) as error:
            assert answer is not None
            self._failed(one, answer.response, error)
        if answer is not None:
            one.answer = None
            self._close(answer)
        try:
            outbox.flush()
        except OSError:
            one.keep = False
        self._handed(one)

    def _failed(self, one: Connection, response: Any, error: BaseException) -> None:
        if isinstance(error, ConnectionError) and one.answer is not None:
            return  # the client has gone
        if response is not None and response.headers_sent:
            self._worker.log.exception("Error handling request")
        else:
            self._worker.handle_error(one.arriving.request, one.outbox, one.peer, error)

    def _close(self, answer: Answer) -> None:
        took = timedelta(seconds=monotonic() - answer.begun)
        self._worker.log.access(answer.response, answer.response.req, answer.environ, took)
        if hasattr(answer.whole, "close"):
            try:
                answer.whole.close()
            except Exception:
                self._worker.log.exception("Error closing an answer")
