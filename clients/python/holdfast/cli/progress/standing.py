"""How a job stands: in come its states and events, out comes what it does, how far it is, and who is in its way. Pure."""

from dataclasses import dataclass, field

from holdfast.cli.progress.pace import Paces
from holdfast.cli.render.words import clean, prose
from holdfast.v1 import core_pb2 as core
from holdfast.v1.core_pb2 import Blocker, Event, Job, Progress

_ENDS_STEP = (core.EVENT_KIND_STEP_DONE, core.EVENT_KIND_STEP_SKIPPED)
_WAITS = (core.EVENT_KIND_LOCK_WAIT, core.EVENT_KIND_RETRY, core.EVENT_KIND_HELD_BACK)
_GOES_ON = (*_ENDS_STEP, core.EVENT_KIND_STEP_STARTED, core.EVENT_KIND_PROGRESS, core.EVENT_KIND_RESUMED, core.EVENT_KIND_ENDED)
_MOST_NAMED = 2


@dataclass(slots=True)
class Waiting:
    """Why nothing moves."""

    message: str
    blockers: tuple[Blocker, ...]
    #: The service's clock when it said so, in seconds.
    at: float

    def words(self, now: float) -> str:
        """Return who or what is in the way; ages go on."""
        if not self.blockers:
            return prose(self.message)
        named = [_who(blocker, now - self.at) for blocker in self.blockers[:_MOST_NAMED]]
        more = len(self.blockers) - _MOST_NAMED
        return f"Waits for {', '.join(named)}{f' and {more} more' if more > 0 else ''}"


@dataclass(slots=True)
class Standing:
    """Where a watched job is."""

    job: Job = field(default_factory=Job)
    activity: str = ""
    #: Steps of a migration, or parts of the present stage of an audit; total 0: nobody knows.
    done: int = 0
    total: int = 0
    rows: Paces = field(default_factory=Paces)
    waiting: Waiting | None = None
    #: The service's clock at the last event.
    heard: float = 0.0

    @property
    def unit(self) -> str:
        """What is counted by done and total."""
        return "parts" if self.job.kind == core.JOB_KIND_AUDIT else "steps"

    def take_job(self, job: Job) -> None:
        """Take a state of the job."""
        self.job = job
        self.heard = max(self.heard, (job.start_time if job.start_time.seconds else job.create_time).ToNanoseconds() / 1e9)
        self.take_progress(job.progress)

    def take_progress(self, progress: Progress) -> None:
        """Take how far the service says it is: only it knows how much there is."""
        if progress.total:
            self.done, self.total = progress.done, progress.total

    def take_event(self, event: Event) -> None:
        """Take what happened."""
        self.heard = event.time.ToNanoseconds() / 1e9
        if event.kind in _WAITS:
            self.waiting = Waiting(event.message, tuple(event.blockers), self.heard)
            # What was held back is no measure of how fast it goes.
            self.rows.rest()
        elif event.kind in _GOES_ON:
            self.waiting = None
        place = (event.step, event.relationship_id)
        if event.kind == core.EVENT_KIND_STEP_STARTED:
            self._begin(event)
        elif event.kind == core.EVENT_KIND_PROGRESS:
            self.activity = event.message if event.step or not self.activity else self.activity
            if event.rows_done or event.rows_total:
                self.activity = subject(event) if event.step else self.activity
                self.rows.take(place, self.heard, event.rows_done, event.rows_total)
        elif event.kind in _ENDS_STEP:
            self.rows.end(place)
            self.done = event.step if self.job.kind == core.JOB_KIND_APPLICATION and event.step else self.done + 1
            self.total = max(self.total, self.done) if self.total else 0

    def _begin(self, event: Event) -> None:
        self.activity, self.rows = event.message, Paces()
        if self.job.kind == core.JOB_KIND_AUDIT:
            self.done = self.total = 0

    def seconds(self, now: float) -> float:
        """Return for how long the job has run."""
        begun = (self.job.start_time if self.job.start_time.seconds else self.job.create_time).ToNanoseconds() / 1e9
        return max(0.0, now - begun) if begun else 0.0


def subject(event: Event) -> str:
    """Return what an event is about; the service puts its figures last."""
    return event.message.rpartition(": ")[0] or event.message


def figures(rows: Paces) -> str:
    """Return rows done, rate and remaining time, as far as they are known."""
    parts = [f"{rows.done:,} of {rows.total:,} rows" if rows.total else f"{rows.done:,} rows"]
    if rows.rate is not None:
        parts.append(f"{rows.rate:,.0f} rows/s")
    if rows.seconds_left:
        parts.append(f"{duration(rows.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = int(seconds)
    if whole < 60:  # noqa: PLR2004 (a minute)
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 (an hour)
        return f"{minutes} min {rest} s"
    return "{} h {} min".format(*divmod(minutes, 60))


def _who(blocker: Blocker, seconds: float) -> str:
    name = clean(blocker.application) or "a session without a name"
    return f"{name} (pid {blocker.pid}, for {duration(blocker.age_seconds + max(0.0, seconds))})"
