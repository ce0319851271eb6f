"""An account under everything that submissions, polls and checks can do to it, in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daemon import policy
from daemon.accounts import Account, Door
from tests.clocks import FakeClock

MOST = 3
JOBS = [f"job {number}" for number in range(6)]


class Submissions(RuleBasedStateMachine):
    """Each job waits, has a place reserved, is under way, or is at the service, as the engine has it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.account = Account("key 1", {}, MOST, self.clock, full=False)
        self.waiting = set(JOBS)
        self.reserved: set[str] = set()
        self.under_way: set[str] = set()
        self.broken: set[str] = set()
        self.taken = 0
        self.trial: str | None = None
        self.door = Door.OPEN

    # -- what a submission does, in its order ---------------------------------------------------------------

    @rule(job=st.sampled_from(JOBS))
    def reserve(self, job: str) -> None:
        if job not in self.waiting:
            return
        if self.account.reserve(job):
            self.waiting.remove(job)
            self.reserved.add(job)
            if self._door is Door.TRIAL:
                self.trial = None
            if job in self.broken:
                self._settle(job)
        elif self._door is Door.CLOSED:
            moment = self.account.next_admission()

            assert moment is not None
            assert moment > self.clock.monotonic()

    def _settle(self, job: str) -> None:
        """What became of its broken submission is known now; it goes back without sending anything."""
        self.broken.remove(job)
        self._change(-1)
        self._give_back(job)

    @precondition(lambda self: self.broken)
    @rule()
    def settle_without_a_place(self) -> None:
        """The same, found out by somebody who sends nothing and asks the account for nothing."""
        self.broken.pop()
        self._change(-1)

    @precondition(lambda self: self.reserved)
    @rule(data=st.data())
    def end_before_it_is_sent(self, data: st.DataObject) -> None:
        """The file is gone, of a wrong type, still written to: whatever it is, nothing was sent."""
        self._give_back(data.draw(st.sampled_from(sorted(self.reserved))))

    @precondition(lambda self: self.reserved)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.reserved)))
        if not self.account.may_send(job):
            assert self._door is not Door.OPEN
            assert self._door is Door.CLOSED or self.trial is not None
            self._give_back(job)
            return
        assert self._door is not Door.CLOSED
        if self._door is Door.TRIAL:
            assert self.trial is None
            self.trial = job
        self._change(+1)
        self._give_back(job)
        self.waiting.remove(job)
        self.under_way.add(job)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), taken=st.booleans())
    def answer(self, data: st.DataObject, taken: bool) -> None:
        """The service took the file, or rejected it: in either case it works."""
        job = data.draw(st.sampled_from(sorted(self.under_way)))
        opens = self.account.submission_ended(job, sane=True)

        assert opens == (self.trial == job)
        self._ended(job)
        if opens:
            self.door = Door.OPEN
        if taken:
            self.taken += 1
        else:
            self._change(-1)

    @precondition(lambda self: self.under_way)
    @rule(
        data=st.data(),
        how=st.sampled_from(["uncertain", "unreachable", "blocked", "throttled", "full", "cut", "broken"]),
    )
    def no_answer(self, data: st.DataObject, how: str) -> None:
        job = data.draw(st.sampled_from(sorted(self.under_way)))
        if how == "broken":
            if not self.broken:
                # An error nobody thought of: the account hears nothing, the job keeps its place and comes again.
                self.under_way.remove(job)
                self.waiting.add(job)
                self.broken.add(job)
            return
        assert not self.account.submission_ended(job, sane=False)
        self._ended(job)
        self._change(-1)
        if how in ("uncertain", "unreachable", "blocked"):
            self.account.close(how, ask_first=how != "unreachable")
            self.trial = None
            self.door = Door.CLOSED
        elif how == "throttled":
            self.account.pause(None)
        elif how == "full":
            self.account.hold()

    @precondition(lambda self: self.taken)
    @rule()
    def finish(self) -> None:
        """The service is done with one."""
        self.taken -= 1
        self._change(-1)

    # -- what happens besides -------------------------------------------------------------------------------

    @rule(why=st.sampled_from(["account.key", "account.blocked"]))
    def blocking_answer_to_a_poll(self, why: str) -> None:
        self.account.close(why, ask_first=True)
        self.trial = None
        self.door = Door.CLOSED

    @rule(seconds=st.sampled_from([0.5, 2.5, 40.0, 61.0, policy.LAST_REOPEN_S]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(good=st.booleans())
    def check(self, good: bool) -> None:
        if self.account.check_due():
            assert self._door is Door.CLOSED
            if good:
                self.account.half_open()
            else:
                self.account.still_closed("service.unreachable")
        if self._door is Door.TRIAL:
            self.door = Door.TRIAL

    @rule()
    def poke(self) -> None:
        self.account.poke()

    # -- what must be true ----------------------------------------------------------------------------------

    @property
    def _door(self) -> Door:
        return self.account.standing().door

    def _give_back(self, job: str) -> None:
        self.account.unreserve()
        self.reserved.remove(job)
        self.waiting.add(job)

    def _change(self, change: int) -> None:
        self.account.occupy(change)

    def _ended(self, job: str) -> None:
        self.under_way.remove(job)
        self.waiting.add(job)
        if self.trial == job:
            self.trial = None

    @invariant()
    def the_door_moves_for_a_reason(self) -> None:
        """It opens by a trial's success alone, closes by a bad answer alone, and half-opens by a check alone."""
        assert self._door is self.door

    @invariant()
    def no_more_than_allowed(self) -> None:
        occupied = len(self.under_way) + len(self.broken) + self.taken

        assert self.account.standing().occupied == occupied
        assert occupied + len(self.reserved) <= MOST

    def teardown(self) -> None:
        """When everything that is under way has ended and the service works again, so does the account."""
        for job in sorted(self.reserved):
            self._give_back(job)
        for job in sorted(self.under_way):
            self.account.submission_ended(job, sane=False)
            self._ended(job)
            self._change(-1)
        while self.taken:
            self.finish()
        while self.broken:
            self.settle_without_a_place()
        self._until_let_in("new")
        if self.account.may_send("new"):
            self.account.submission_ended("new", sane=True)

        assert self._door is Door.OPEN

    def _until_let_in(self, job: str) -> None:
        for _ in range(5):
            self.clock.advance(policy.LAST_REOPEN_S)
            if self.account.check_due():
                self.account.half_open()
            if self.account.reserve(job):
                return
        raise AssertionError(f"{job} is never let in")


TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
