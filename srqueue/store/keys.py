"""The key map: every Redis key of the store.

<prefix>:job:<id>                     hash     the record
<prefix>:events:<id>                  stream   event lines of all attempts, bounded
<prefix>:attempts:<id>                list     attempts as JSON, oldest first, bounded
<prefix>:rungs:<id>                   hash     iteration -> metrics there (JSON), of a job compared at rungs
<prefix>:log:<id>                     stream   newest lines that its trainers printed, for a week
<prefix>:logs                         zset     ids that have some, by the time of the last
<prefix>:pictures:<id>                hash     newest validation pictures (PNG), for a week
<prefix>:pictures                     zset     ids that have some, by the time of the last
<prefix>:scores:<id>                  string   its exported model on each validation picture (zlib, JSON)
<prefix>:jobs                         zset     all ids by time of creation
<prefix>:state:<state>                zset     ids in that state by time of creation
<prefix>:name:<name>                  zset     ids of that name by time of creation
<prefix>:names                        zset     names by number of jobs
<prefix>:spec:<spec_id>               zset     ids of that spec by time of creation
<prefix>:campaigns                    zset     names of campaigns by number of jobs
<prefix>:campaign:<name>              zset     ids of that campaign by time of creation
<prefix>:campaign:<name>:<state>      zset     those of them in that state, by time of creation
<prefix>:campaign:<name>:record       hash     a campaign that came from a file: what it says, state, budget
<prefix>:campaign:<name>:cells        hash     id -> stage and axes, of the cells that the file has
<prefix>:campaign:<name>:won          hash     stage -> how many of its cells succeeded
<prefix>:campaign:<name>:open:<stage> set      ids of a stage that have not ended
<prefix>:campaign:<name>:free         zset     held ids that may begin, by time of creation
<prefix>:campaign:<name>:due          set      held ids to be looked at: one that they wait for has ended
<prefix>:campaign:<name>:stopped      set      ids that a search has stopped at their rungs
<prefix>:campaign:<name>:paused-with  set      ids that were paused because the campaign was
<prefix>:campaign:<name>:unfit        hash     <stage>/<number> -> what was drawn and became no cell
<prefix>:campaign:<name>:drawing      string   who draws cells at the moment; expires
<prefix>:campaign:<name>:study        set      its studies (Optuna's); their journals are below
<prefix>:campaign-files               zset     names of campaigns from files, by time of submit
<prefix>:campaigns-open               set      those that have not ended
<prefix>:followers:<id>               set      held ids that wait for that job
<prefix>:followers:<name>/<stage>     set      held ids that wait for that stage of that campaign
<prefix>:suffixes                     zset     reversed ids, all scored 0: a suffix is a range
<prefix>:ready:<device class>:<root>  zset     ids that can be claimed, best first; root `-`: not begun yet
<prefix>:ready:<class>:<root>:<lot>   zset     the same of those with a lot (what they need, whose they are)
<prefix>:lots:<device class>:<root>   set      lots of which there are ready jobs
<prefix>:first-user                   string   whose jobs need no lot to tell them from others
<prefix>:users                        set      names of users that had jobs
<prefix>:user:<name>:running          set      ids of a user's that run
<prefix>:user:<name>:waiting          set      ids of a user's that are queued or held
<prefix>:usage                        hash     user -> seconds of training lately, and when that was noted
<prefix>:memory                       hash     kind of work -> bytes of a GPU that a job of it took
<prefix>:quota:running                hash     user -> how many jobs may run at a time
<prefix>:quota:queued                 hash     user -> how many may be queued or held
<prefix>:delayed                      zset     ids by the time they become ready
<prefix>:opening                      zset     ids by the time their window opens
<prefix>:bells                        zset     ready ids by the time to ring for them again
<prefix>:leases                       zset     running ids by the time their lease ends
<prefix>:running                      zset     running ids by priority
<prefix>:yielding                     set      running ids that were asked to give way, and some that were
<prefix>:looked                       string   somebody has just looked who is to give way; expires
<prefix>:claim:<claim>                string   id that this call of `claim` was given, for an hour
<prefix>:occasions                    zset     what notices may be about, by time; bounded (occasions.py)
<prefix>:notices:since                string   when somebody first looked for them
<prefix>:notice:<occasion>            string   that it is being told, or was; expires
<prefix>:seen                         string   when a worker was last in touch with Redis
<prefix>:signing                      string   ids of the keys that workers want jobs signed with (signing.py)
<prefix>:audit                        stream   acts: who did what, when, from where; bounded (audit.py)
<prefix>:machine:<machine>            set      ids that were bound on a machine, swept by its workers
<prefix>:workers                      zset     worker names by the time their announcement ends
<prefix>:left                         zset     names of workers that ended by themselves, by when, for an hour
<prefix>:worker:<name>                hash     the announcement
<prefix>:drain:<name>                 hash     the request to that worker to end: when, how
<prefix>:schema                       string   newest version of srqueue's records that wrote here (schema.py)
<prefix>:moved                        string   the queue is on another server, or on its way (moved.py)
<prefix>:moving                       string   who brings a queue here at the moment; expires
<prefix>:arrived                      string   id of the move that brought it here
<prefix>:celery:*                              the broker's own keys

Times are UTC seconds of the Redis server. The scripts in `lua/` build the same names from the prefix.

What time decides is decided by evidence in Redis, whoever looks: where `seen` lies back for longer than half
a lease while leases are out, all workers were cut off, and every lease begins anew (`note` in prelude.lua);
where the clock went back, leases, delayed jobs and bells are drawn nearer (sweep.lua).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Keys:
    """Names of the keys below one prefix."""

    prefix: str

    @property
    def root(self) -> str:
        """What every key begins with: the one key that is passed to the scripts."""
        return f"{self.prefix}:"

    @property
    def schema(self) -> str:
        """The newest version of records that has written here."""
        return f"{self.prefix}:schema"

    @property
    def moved(self) -> str:
        """The sign that the queue is on another server, or on its way."""
        return f"{self.prefix}:moved"

    @property
    def moving(self) -> str:
        """Who brings a queue here at the moment."""
        return f"{self.prefix}:moving"

    @property
    def looked(self) -> str:
        """Somebody has just looked who is to give way."""
        return f"{self.prefix}:looked"

    @property
    def arrived(self) -> str:
        """Id of the move that brought it here."""
        return f"{self.prefix}:arrived"

    @property
    def jobs(self) -> str:
        """All ids by time of creation."""
        return f"{self.prefix}:jobs"

    @property
    def names(self) -> str:
        """All names by number of jobs."""
        return f"{self.prefix}:names"

    @property
    def suffixes(self) -> str:
        """Reversed ids."""
        return f"{self.prefix}:suffixes"

    @property
    def leases(self) -> str:
        """Running ids by the time their lease ends."""
        return f"{self.prefix}:leases"

    @property
    def delayed(self) -> str:
        """Ids by the time they become ready."""
        return f"{self.prefix}:delayed"

    @property
    def opening(self) -> str:
        """Ids by the time their window opens."""
        return f"{self.prefix}:opening"

    @property
    def bells(self) -> str:
        """Ready ids by the time to ring for them again."""
        return f"{self.prefix}:bells"

    @property
    def occasions(self) -> str:
        """What notices may be about, by time."""
        return f"{self.prefix}:occasions"

    @property
    def notices_since(self) -> str:
        """When somebody first looked for occasions."""
        return f"{self.prefix}:notices:since"

    def notice(self, occasion: str) -> str:
        """That an occasion is being told, or was."""
        return f"{self.prefix}:notice:{occasion}"

    @property
    def signing(self) -> str:
        """Ids of the keys that workers want jobs signed with."""
        return f"{self.prefix}:signing"

    @property
    def audit(self) -> str:
        """Acts, oldest first."""
        return f"{self.prefix}:audit"

    @property
    def left(self) -> str:
        """Names of workers that ended by themselves, by when."""
        return f"{self.prefix}:left"

    @property
    def workers(self) -> str:
        """Worker names by the time their announcement ends."""
        return f"{self.prefix}:workers"

    def job(self, job_id: str) -> str:
        """The record."""
        return f"{self.prefix}:job:{job_id}"

    def events(self, job_id: str) -> str:
        """The event stream."""
        return f"{self.prefix}:events:{job_id}"

    def attempts(self, job_id: str) -> str:
        """What its attempts were."""
        return f"{self.prefix}:attempts:{job_id}"

    def rungs(self, job_id: str) -> str:
        """Its metrics at the rungs at which it is compared with others."""
        return f"{self.prefix}:rungs:{job_id}"

    def log(self, job_id: str) -> str:
        """What its trainers printed."""
        return f"{self.prefix}:log:{job_id}"

    def pictures(self, job_id: str) -> str:
        """Its newest validation pictures."""
        return f"{self.prefix}:pictures:{job_id}"

    def scores(self, job_id: str) -> str:
        """What its exported model makes of each validation picture."""
        return f"{self.prefix}:scores:{job_id}"

    def state(self, state: str) -> str:
        """Ids in a state."""
        return f"{self.prefix}:state:{state}"

    def machine(self, machine: str) -> str:
        """Ids that were bound on a machine."""
        return f"{self.prefix}:machine:{machine}"

    @property
    def campaigns(self) -> str:
        """All names of campaigns by number of jobs."""
        return f"{self.prefix}:campaigns"

    def campaign(self, name: str, state: str | None = None) -> str:
        """Ids of a campaign; with a state those in it."""
        return f"{self.prefix}:campaign:{name}" + (f":{state}" if state else "")

    @property
    def campaign_files(self) -> str:
        """Names of campaigns that came from files, by time of submit."""
        return f"{self.prefix}:campaign-files"

    @property
    def open_campaigns(self) -> str:
        """Those of them that have not ended."""
        return f"{self.prefix}:campaigns-open"

    def name(self, name: str) -> str:
        """Ids of a name."""
        return f"{self.prefix}:name:{name}"

    def ready(self, device_class: str, root_id: str | None, lot: str = "") -> str:
        """Ids that can be claimed; without a root those that have no run folder yet."""
        return f"{self.prefix}:ready:{device_class}:{root_id or '-'}" + (f":{lot}" if lot else "")

    def lots(self, device_class: str, root_id: str | None) -> str:
        """Lots of which there are ready jobs."""
        return f"{self.prefix}:lots:{device_class}:{root_id or '-'}"

    def of_user(self, name: str, what: Literal["running", "waiting"]) -> str:
        """Ids of a user's jobs that run, or that are queued or held."""
        return f"{self.prefix}:user:{name}:{what}"

    @property
    def first_user(self) -> str:
        """Whose jobs need no lot to tell them from others."""
        return f"{self.prefix}:first-user"

    @property
    def users(self) -> str:
        """Names of users that had jobs."""
        return f"{self.prefix}:users"

    @property
    def usage(self) -> str:
        """What users have trained lately."""
        return f"{self.prefix}:usage"

    @property
    def memory(self) -> str:
        """What jobs of a kind of work took of a GPU."""
        return f"{self.prefix}:memory"

    def quota(self, what: Literal["running", "queued"]) -> str:
        """How many jobs of each user may run, or be queued, at a time."""
        return f"{self.prefix}:quota:{what}"

    def worker(self, name: str) -> str:
        """A worker's announcement."""
        return f"{self.prefix}:worker:{name}"


def broker_prefix(prefix: str) -> str:
    """What Celery's own keys begin with, so that two prefixes share no queue."""
    return f"{prefix}:celery:"
