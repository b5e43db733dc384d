"""The channel: order, its end, and what closing means."""

import threading
from concurrent.futures import Future

import pytest

from streamframe.runtime.budget import Closed
from streamframe.runtime.channel import Channel


def done(value):
    ticket = Future()
    ticket.set_result(value)
    return ticket


def test_results_arrive_in_the_order_of_sending_however_late_they_are_made():
    channel = Channel()
    late, early = Future(), Future()
    channel.send(late)
    channel.send(early)
    early.set_result("second")
    late.set_result("first")
    assert [channel.receive(), channel.receive()] == ["first", "second"]


def test_what_was_sent_arrives_before_the_error_that_stopped_the_reader():
    channel = Channel()
    channel.send(done(1))
    channel.finish(OSError("the line dropped"))
    assert channel.receive() == 1
    with pytest.raises(OSError, match="dropped"):
        channel.receive()


def test_the_end_comes_after_the_last_result():
    channel = Channel()
    channel.send(done(1))
    channel.finish()
    assert [channel.receive(), channel.receive()] == [1, None]


def test_closing_frees_a_consumer_that_waits_for_the_source():
    channel = Channel()
    raised = []

    def consume():
        try:
            channel.receive()
        except Closed as error:
            raised.append(error)

    thread = threading.Thread(target=consume)
    thread.start()
    channel.close()
    thread.join(5)
    assert raised


def test_closing_cancels_what_has_not_begun():
    channel = Channel()
    ticket = Future()
    channel.send(ticket)
    channel.close()
    assert ticket.cancelled()


def test_sending_to_a_consumer_that_has_gone_is_refused():
    channel = Channel()
    channel.close()
    with pytest.raises(Closed):
        channel.send(done(1))
