"""Shared state: values with a lifetime and locks, in memory and in a real Redis."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_auth0_mfa import state as state_module
from flask_auth0_mfa.errors import Auth0UnavailableError, ConfigurationError
from flask_auth0_mfa.memory import Memory
from flask_auth0_mfa.sealing import Sealer
from flask_auth0_mfa.state import MemoryState, RedisState, open_state

from .redis_server import redis_server


@pytest.fixture(scope="module")
def redis():
    """A Redis server for this file."""
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def state(request):
    """Each kind of state, with nothing in it."""
    if request.param == "memory":
        return open_state(None)
    server = request.getfixturevalue("redis")
    server.connection().flushall()
    return open_state(server.url)


@pytest.fixture
def short_wait(monkeypatch):
    """Give a lock up after a moment."""
    monkeypatch.setattr(state_module, "LOCK_WAIT", 0.2)


@pytest.mark.redis
@pytest.mark.parametrize(
    ("uri", "kind"),
    [(None, MemoryState), ("memory://", MemoryState), ("redis://127.0.0.1:1/0", RedisState)],
)
def test_which(uri, kind):
    """The address decides where the state is; opening it needs no server yet."""
    assert isinstance(open_state(uri), kind)


class TestValues:
    """Named values."""

    def test_kept(self, state):
        """What was put there is there."""
        state.put("name", "value", 60)
        assert state.get("name") == "value"

    def test_missing(self, state):
        """What was not put there is not."""
        assert state.get("name") is None

    def test_replaced(self, state):
        """The last value counts."""
        state.put("name", "one", 60)
        state.put("name", "two", 60)
        assert state.get("name") == "two"

    def test_many(self, state):
        """Several are read at once, in their order, with gaps."""
        state.put("one", "1", 60)
        state.put("three", "3", 60)
        assert state.get_many(["three", "two", "one"]) == ["3", None, "1"]
        assert state.get_many(["one"]) == ["1"]

    @pytest.mark.parametrize("value", ["", "é中🔐", "a" * 100_000, "\n\x00"])
    def test_any_text(self, state, value):
        """Any text comes back as it was."""
        state.put("name", value, 60)
        assert state.get("name") == value

    def test_over(self, state):
        """After its time a value is gone."""
        state.put("short", "value", 1)
        state.put("long", "value", 60)
        assert state.get("short") == "value"
        time.sleep(1.1)
        assert state.get_many(["short", "long"]) == [None, "value"]

    def test_threads(self, state):
        """Many threads can write at once."""
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda n: state.put(f"name {n}", str(n), 60), range(500)))
        names = [f"name {n}" for n in range(500)]
        assert state.get_many(names) == [str(n) for n in range(500)]


class TestReplace:
    """Values that several requests change at once."""

    @pytest.mark.parametrize(("before", "is_done"), [(None, False), ("one", True), ("two", False)])
    def test_what_is_there(self, state, before, is_done):
        """A value is replaced by whoever knows it, and by nobody else."""
        state.put("name", "one", 60)
        assert state.replace("name", before, "new", 60) is is_done
        assert state.get("name") == ("new" if is_done else "one")

    @pytest.mark.parametrize(("before", "is_done"), [(None, True), ("one", False)])
    def test_nothing_there(self, state, before, is_done):
        """Where there is nothing, only who expects nothing puts something."""
        assert state.replace("name", before, "new", 60) is is_done
        assert state.get("name") == ("new" if is_done else None)

    def test_over(self, state):
        """What was put there has its time."""
        state.replace("name", None, "value", 1)
        assert state.recall(["name"]) == ["value"]
        time.sleep(1.1)
        assert state.recall(["name"]) == [None]

    def test_parallel(self, state):
        """Of many that replace the same value, one does."""
        with ThreadPoolExecutor(10) as pool:
            done = list(pool.map(lambda n: state.replace("name", None, str(n), 60), range(50)))
        assert done.count(True) == 1

    def test_changed_meanwhile(self, state):
        """A change is made anew of what another request has put there meanwhile."""
        memory = Memory(state, Sealer(lambda: [b"a secret key for tests"], time.time), time.time)
        memory.put(("name",), {"seen": ["first"]}, 60)
        others = iter([{"seen": ["first", "other"]}])

        def change(known):
            for other in others:
                memory.put(("name",), other, 60)
            return {"seen": [*known["seen"], "mine"]}

        memory.change(("name",), change, 60)
        assert memory.get(("name",)) == {"seen": ["first", "other", "mine"]}


class TestLocks:
    """Named locks."""

    def test_one_at_a_time(self, state):
        """Of many who want a lock, one has it at a time, and all get it."""
        inside, most, done = [], [], []

        def work(number):
            with state.locked("name"):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.002)
                inside.remove(number)
                done.append(number)

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(work, range(20)))
        assert max(most) == 1
        assert sorted(done) == list(range(20))

    def test_other_name(self, state):
        """Another name is another lock."""
        with state.locked("one"), state.locked("two"):
            pass

    def test_again(self, state):
        """A lock can be taken again once it was given back."""
        for _ in range(3):
            with state.locked("name"):
                pass

    def test_error(self, state):
        """An error gives the lock back."""
        with pytest.raises(LookupError), state.locked("name"):
            raise LookupError
        with state.locked("name"):
            pass

    def test_taken(self, state, short_wait):
        """Who waits too long is told to come back in a second, rather than wait for ever."""
        with state.locked("name"), ThreadPoolExecutor(1) as pool:
            error = pool.submit(self.refused, state).result(timeout=5)
        assert (error.status, error.retry_after) == (503, 1)
        with state.locked("name"):
            pass

    def refused(self, state):
        """Fail to take the lock; return the error."""
        with pytest.raises(Auth0UnavailableError) as caught, state.locked("name"):
            raise AssertionError("the lock is taken")
        return caught.value

    def test_no_value(self, state):
        """A lock and a value of the same name do not meet."""
        state.put("name", "value", 60)
        with state.locked("name"):
            assert state.get("name") == "value"

    def test_memory_is_given_back(self):
        """A name that nobody holds any more costs nothing."""
        state = MemoryState()
        for number in range(100):
            with state.locked(str(number)):
                pass
        assert state._locks._locks == {}


@pytest.mark.redis
class TestRedis:
    """Particular to Redis: others can look into it, and it can be gone."""

    def test_shared(self, redis):
        """What one worker puts there another one finds."""
        one, two = open_state(redis.url), open_state(redis.url)
        one.put("name", "value", 60)
        assert two.get("name") == "value"

    def test_forgetful(self, redis, monkeypatch):
        """After it lost everything no lock is given until those from before have run out."""
        monkeypatch.setattr(state_module, "LOCK_TTL", 0.2)
        state = open_state(redis.url)
        with state.locked("name"):
            redis.connection().flushall()
        with pytest.raises(Auth0UnavailableError) as raised, state.locked("name"):
            pass
        assert raised.value.retry_after == 1
        time.sleep(0.2)
        with state.locked("name"):
            state.put("name", "value", 60)

    def test_restarted_with_what_it_saved(self, monkeypatch):
        """Nor after a restart: what Redis loaded again may lack a lock of its last second."""
        monkeypatch.setattr(state_module, "LOCK_TTL", 0.4)
        with redis_server() as server:
            state = open_state(server.url)
            with state.locked("name"):
                state.put("name", "value", 60)
            server.connection().save()
            server.stop()
            server.start()
            assert state.get("name") == "value"
            with pytest.raises(Auth0UnavailableError), state.locked("name"):
                pass
            time.sleep(0.4)
            with state.locked("name"):
                assert state.get("name") == "value"

    def test_loss_is_in_the_log(self, redis, caplog):
        """Why nothing is refreshed for a while is in the log, once."""
        state = open_state(redis.url)
        state.put("name", "value", 60)
        state.get("name")
        redis.connection().flushall()
        for _ in range(3):
            with pytest.raises(Auth0UnavailableError):
                state.recall(["name"])
        assert [text.partition(":")[0] for text in caplog.messages] == [
            "Redis has started anew, was emptied or replaced"
        ]

    def test_taken_lock_is_in_the_log(self, redis, short_wait, caplog):
        """So is a lock that nobody gives back."""
        state = open_state(redis.url)
        with state.locked("name"), pytest.raises(Auth0UnavailableError), state.locked("name"):
            raise AssertionError("the lock is taken")
        assert "stayed taken" in caplog.text

    @pytest.mark.parametrize("option", ["decode_responses=True", "protocol=3"])
    def test_options_of_the_address(self, redis, option):
        """What the address asks of the client does not change what is read."""
        state = open_state(f"{redis.url}?{option}")
        state.put("name", "é", 60)
        with state.locked("name"):
            assert state.get("name") == "é"
            assert state.replace("name", "é", "two", 60)

    @pytest.mark.parametrize("option", ["nonsense=1", "socket_timeout=soon"])
    def test_options_that_there_are_not(self, option):
        """An option that the client does not know stops the start, and not each request."""
        with pytest.raises(ConfigurationError, match="AUTH0_STATE_URI has options") as caught:
            open_state(f"redis://:hunter2@127.0.0.1:1/0?{option}")
        assert "hunter2" not in str(caught.value)

    def test_without_leave_to_ask(self, redis):
        """A Redis that does not tell which run it is in is used all the same."""
        connection = redis.connection()
        rights = ["~*", "+@all", "-info"]
        connection.execute_command("ACL", "SETUSER", "careful", "on", ">word", *rights)
        state = open_state(redis.url.replace("redis://", "redis://careful:word@"))
        with state.locked("name"):
            state.put("name", "value", 60)
        assert state.get("name") == "value"

    def test_lock_is_shared(self, redis, short_wait):
        """What one worker holds another one waits for."""
        one, two = open_state(redis.url), open_state(redis.url)
        with one.locked("name"), pytest.raises(Auth0UnavailableError), two.locked("name"):
            raise AssertionError("the lock is taken")

    def test_own_names(self, redis):
        """Ours are told from others' by their prefix; all but one mark go away by themselves."""
        redis.connection().flushall()
        state = open_state(redis.url)
        state.put("name", "value", 60)
        with state.locked("other"):
            keys = redis.connection().keys("*")
            assert len(keys) == 3
            assert all(key.startswith(b"auth0_mfa:") for key in keys)
            keys.remove(b"auth0_mfa:birthmark")
            assert all(0 < redis.connection().ttl(key) <= 60 for key in keys)
        assert len(redis.connection().keys("*")) == 2

    @pytest.mark.parametrize("ttl", [0, -5])
    def test_no_time(self, redis, ttl):
        """A value whose time is over already is no reason to fail."""
        open_state(redis.url).put("name", "value", ttl)

    def test_pickle(self, redis):
        """What somebody else wrote there is text, and never run."""
        touched = []

        class Trap:
            def __reduce__(self):
                return touched.append, (1,)

        state = open_state(redis.url)
        redis.connection().set("auth0_mfa:name", b"!" + pickle.dumps(Trap()))
        assert isinstance(state.get("name"), str)
        assert touched == []

    @pytest.mark.parametrize("command", ["lpush", "sadd"])
    def test_another_type(self, redis, command):
        """A key of another type counts as nothing."""
        redis.connection().flushall()
        getattr(redis.connection(), command)("auth0_mfa:name", "x")
        assert open_state(redis.url).get("name") is None

    def test_bytes(self, redis):
        """Bytes that are no text do not fail a request."""
        redis.connection().set("auth0_mfa:name", b"\xff\xfe")
        assert isinstance(open_state(redis.url).get("name"), str)

    def test_lock_that_went_away(self, redis):
        """A lock that Redis has forgotten meanwhile is no error."""
        with open_state(redis.url).locked("name"):
            redis.connection().flushall()

    def test_holder_that_died(self, redis, monkeypatch):
        """The lock of a worker that died is free after a while."""
        monkeypatch.setattr(state_module, "LOCK_TTL", 0.3)
        open_state(redis.url).locked("name").__enter__()
        with open_state(redis.url).locked("name"):
            pass

    @pytest.fixture
    def outage(self):
        """A state whose server has gone."""
        with redis_server() as server:
            state = open_state(server.url)
            state.put("name", "value", 60)
            server.stop()
            yield server, state

    @pytest.mark.parametrize(
        "call",
        [
            lambda state: state.get("name"),
            lambda state: state.get_many(["name", "other"]),
            lambda state: state.put("name", "value", 60),
            lambda state: state.recall(["name"]),
            lambda state: state.replace("name", None, "value", 60),
            lambda state: state.locked("name").__enter__(),
        ],
        ids=["get", "get_many", "put", "recall", "replace", "locked"],
    )
    def test_outage(self, outage, call, monkeypatch):
        """Without the server every call says so at once, and works again when it is back."""
        monkeypatch.setattr(state_module, "LOCK_TTL", 0.1)
        server, state = outage
        started = time.monotonic()
        with pytest.raises(Auth0UnavailableError):
            call(state)
        assert time.monotonic() - started < 3
        server.start()
        state.get("name")
        time.sleep(0.1)
        call(state)

    def test_outage_while_locked(self, redis):
        """A server that goes away while a lock is held does not hide what was done under it."""
        with redis_server() as server:
            with open_state(server.url).locked("name"):
                server.stop()
                done = True
            assert done

    def test_outage_is_in_the_log(self, outage, caplog):
        """The log names the kind of error, and nothing of the address."""
        with pytest.raises(Auth0UnavailableError):
            outage[1].get("name")
        assert caplog.messages == ["The shared state in AUTH0_STATE_URI failed: ConnectionError"]

    def test_address_does_not_show(self, outage):
        """The error does not tell where the server was, or its password."""
        _, state = outage
        with pytest.raises(Auth0UnavailableError) as caught:
            state.get("name")
        assert caught.value.__suppress_context__
        assert "127.0.0.1" not in str(caught.value)


def test_waiting_is_fair_enough():
    """A lock that is handed on is taken by somebody who waits for it."""
    state, got = MemoryState(), threading.Event()

    def wait():
        with state.locked("name"):
            got.set()

    with ThreadPoolExecutor(1) as pool:
        with state.locked("name"):
            waiting = pool.submit(wait)
            assert not got.wait(0.05)
        waiting.result(timeout=5)
    assert got.is_set()
