"""Every SRQUEUE_* variable, its default and its unit."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from srqueue.errors import SpecError, UsageError, did_you_mean
from srqueue.remote.url import parse_remote
from srqueue.spec.needs import parse_labels
from srqueue.spec.windows import parse_windows

_SHORTEST_KEY = 32  # characters: a key can be guessed at by who reads signatures
_KEYS_AT_MOST = 2

SECRET_VARIABLES = (
    "SRQUEUE_REDIS_URL", "SRQUEUE_NOTIFY", "SRQUEUE_FLOWER_AUTH", "FLOWER_BASIC_AUTH", "SRQUEUE_SECRETS",
    "SRQUEUE_SIGNING_KEY",
)  # fmt: skip
"""Variables that hold passwords, or say where they lie: children that need them not are started without."""
REMOTE_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""The same of other programs: what reaches a remote folder needs them, a trainer does not."""
LOGGER_SECRETS = ("WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""The same of what reports are sent to."""
OCCASIONS = ("finished", "failed", "held", "plateau", "disk", "campaign", "started", "digest")
"""What a notice can be about."""
YIELDS = ("battery", "foreground")
"""What a worker can leave its machine to its user for."""


class Variables(BaseSettings):
    """Each field is the environment variable SRQUEUE_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="SRQUEUE_", frozen=True, extra="ignore")

    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss://, unix://, sentinel:// or sentinels:// URL; unset: the server of "
        "`srqueue up`",
    )
    redis_ca: Path | None = Field(
        None,
        description="file of the CA that signed the certificates of rediss:// or sentinels:// servers; "
        "unset: the system's",
    )
    redis_cert: Path | None = Field(None, description="this machine's client certificate for that server")
    redis_key: Path | None = Field(None, description="key of that certificate")
    redis_open: bool = Field(
        False, description="whether a server beyond loopback may be used without a password"
    )
    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_state_dir("srqueue")),
        description="folder of run folders, logs and the embedded server",
    )
    runs: Path | None = Field(None, description="runs root; unset: <home>/runs")
    datasets: Path = Field(
        default_factory=lambda: Path(platformdirs.user_config_dir("srqueue")) / "datasets.yaml",
        description="this machine's registry of data sets",
    )
    bank: Path | None = Field(
        None, description="folder of crop banks (decoded pictures), on a fast local disk; unset: <home>/bank"
    )
    bank_ram: float = Field(
        0.5,
        ge=0,
        le=0.95,
        description="share of the free memory that the pictures of a training may take",
    )
    bank_quota: int = Field(
        0, ge=0, description="bytes of disk for all crop banks together; 0: whatever the disk can spare"
    )
    remote: str = Field(
        "",
        description="where machines without a shared disk keep run folders: an s3://, gs://, ssh:// or "
        "file:// URL, without credentials",
    )
    remote_rate: int = Field(0, ge=0, description="bytes a second that uploads may take; 0: no limit")
    remote_wait: float = Field(
        15.0,
        ge=0,
        le=600,
        description="seconds that a job which is handed back waits for the upload of its last checkpoint",
    )
    data: Path | None = Field(
        None, description="folder of the data sets that `srqueue dataset sync` brings; unset: <home>/data"
    )
    data_quota: int = Field(
        0, ge=0, description="bytes of disk for all of these together; 0: whatever the disk can spare"
    )
    prefix: str = Field("srq", pattern=r"\A[a-z0-9-]{1,32}\z", description="first part of every Redis key")
    lease: float = Field(
        30.0, gt=0.5, le=3600, description="seconds a worker may be silent before another takes over"
    )
    renew: float = Field(2.0, gt=0.05, le=300, description="seconds between two renewals of a lease")
    sweep: float = Field(
        5.0,
        gt=0.05,
        le=300,
        description="seconds between two sweeps, at most; a quarter of a lease where that is less",
    )
    backoff: float = Field(
        5.0, ge=0, le=3600, description="seconds before the first retry; doubles, with jitter"
    )
    hang: float = Field(
        120.0,
        gt=0.5,
        le=86400,
        description="seconds of silence after which a trainer is hung; more where its iterations are slow",
    )
    preempt: bool = Field(
        True, description="whether a ready job of higher priority may ask a running one to give way"
    )
    preempt_wait: float = Field(
        5.0, ge=0, le=86400, description="seconds a job is ready before it asks another to give way"
    )
    preempt_run: float = Field(
        600.0, ge=0, le=1e6, description="seconds an attempt runs at least before it is asked to give way"
    )
    preempt_budget: int = Field(
        3, ge=0, le=1000, description="times a job gives way at the most; then it runs to its end"
    )
    flower_address: str = Field("127.0.0.1", description="address Flower listens on")
    flower_port: int = Field(5555, ge=1, le=65535, description="port Flower listens on")
    flower_auth: SecretStr | None = Field(
        None, description="user:password that Flower asks for; unset: it asks for none, and only shows"
    )
    flower_url_prefix: str = Field(
        "",
        pattern=r"\A[A-Za-z0-9._~/-]*\z",
        description="path below which Flower's pages lie, behind a proxy",
    )
    flower_read_only: bool = Field(False, description="whether Flower refuses every act")
    device: str = Field("auto", description="auto, cpu or cuda[:n]: what this machine's worker trains on")
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="CPU threads of a trainer; 0: one on the CPU, four beside a GPU, fewer where slots share",
    )
    slots: int = Field(
        1,
        ge=1,
        le=16,
        description="jobs that a worker runs at a time; on a GPU each gets its share of the memory",
    )
    labels: str = Field(
        "", description="labels of this worker that jobs may ask for, such as gpu=a100,room=3; by commas"
    )
    user: str = Field(
        "", pattern=r"\A([A-Za-z0-9][A-Za-z0-9._-]{0,63})?\z",
        description="whose jobs are submitted here; unset: the name of the system's user",
    )  # fmt: skip
    share: Literal["user", "campaign"] = Field(
        "user", description="who takes turns: users alone, or also the campaigns that one user submits"
    )
    warm: bool = Field(
        True,
        description="whether a worker keeps a trainer ready that has imported torch: 0.3 GB of memory a slot",
    )
    report: bool = Field(True, description="whether a report is made at the end of each job")
    notify: SecretStr | None = Field(
        None, description="where notices go: Apprise URLs, by commas or blanks; may hold passwords and tokens"
    )
    notify_on: str = Field(
        "finished,failed,held,plateau,disk,campaign",
        description="which notices: finished, failed, held, plateau, disk, campaign, started, digest",
    )
    notify_private: bool = Field(
        False, description="whether notices may go to this machine and to private networks; else they may not"
    )
    signing_key: SecretStr | None = Field(
        None,
        description="jobs are signed with it; a worker that has it trains no others; the old key by a comma",
    )
    audit_log: str = Field(
        "", description="where acts are written beside Redis: an absolute path of a file, or syslog"
    )
    window: str = Field("", description="when this worker may train, such as 22:00-07:00; by commas")
    yield_to: str = Field(
        "off",
        validation_alias="SRQUEUE_YIELD",
        description="what a worker leaves its machine to its user for: battery, foreground, off; by commas",
    )
    yield_ignore: str = Field(
        "Xorg,Xwayland,gnome-shell,kwin_x11,kwin_wayland,plasmashell,sway,Hyprland,dwm.exe,explorer.exe",
        description="programs that may use the GPU beside a training; by commas",
    )
    yield_after: float = Field(10.0, ge=0, le=3600, description="seconds that must last before it yields")
    yield_back: float = Field(60.0, ge=0, le=86400, description="seconds it must be over before it goes on")
    kwh_price: float | None = Field(
        None, le=1e6, description="what a kWh costs, in SRQUEUE_CURRENCY; above 0"
    )
    currency: str = Field("EUR", pattern=r"\A[A-Z]{3}\z", description="currency of that price")
    cpu_watts: float = Field(
        65.0, gt=0, le=1e5,
        description="what the CPU draws at full load, for an estimate where it does not tell",
    )  # fmt: skip
    gpu_watts: float = Field(
        250.0, gt=0, le=1e5, description="the same of a GPU that does not tell what it draws"
    )
    notify_digest: int = Field(8, ge=0, le=23, description="hour of the day, local time, of the digest")
    notify_disk: float = Field(
        10.0, ge=0, le=1e6, description="GiB free under the runs root, below which a disk is low"
    )

    @field_validator("remote")
    @classmethod
    def _without_credentials(cls, text: str) -> str:
        try:
            return parse_remote(text, "SRQUEUE_REMOTE") if text else ""
        except UsageError as error:
            raise ValueError("; ".join(filter(None, [error.message, error.hint]))) from None

    @field_validator("kwh_price")
    @classmethod
    def _more_than_none(cls, price: float | None) -> float | None:
        if price is not None and not price > 0:
            raise ValueError(f"{price:g} is not above 0; leave it unset where a kWh costs nothing")
        return price

    @field_validator("notify_on")
    @classmethod
    def _known_occasions(cls, text: str) -> str:
        unknown = set(text.replace(",", " ").split()) - set(OCCASIONS)
        if unknown:
            raise ValueError(f"no notice {', '.join(sorted(unknown))}; there are {', '.join(OCCASIONS)}")
        return text

    @field_validator("yield_to")
    @classmethod
    def _known_yields(cls, text: str) -> str:
        unknown = set(text.replace(",", " ").split()) - {*YIELDS, "off"}
        if unknown:
            known = [*YIELDS, "off"]
            hint = did_you_mean(sorted(unknown)[0], known)
            raise ValueError(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}; {hint}")
        return text

    @field_validator("labels")
    @classmethod
    def _whole_labels(cls, text: str) -> str:
        try:
            return ",".join(parse_labels(text))
        except SpecError as error:
            raise ValueError("; ".join(filter(None, [error.message, error.hint]))) from None

    @field_validator("window")
    @classmethod
    def _whole_windows(cls, text: str) -> str:
        try:
            parse_windows(text)
        except SpecError as error:
            raise ValueError("; ".join(filter(None, [error.message, error.hint]))) from None
        return text

    @field_validator("flower_auth")
    @classmethod
    def _user_and_password(cls, given: SecretStr | None) -> SecretStr | None:
        if given is None or not given.get_secret_value():
            return None
        user, colon, password = given.get_secret_value().partition(":")
        # Flower parts several credentials by commas: a piece of a password would be one.
        if not (user and colon and password) or "," in user + password:
            raise ValueError("must be user:password, without a comma")
        if not (user + password).isascii():  # Flower cannot compare it, and would let nobody in
            raise ValueError("must be of ASCII characters")
        return given

    @field_validator("signing_key")
    @classmethod
    def _strong_keys(cls, given: SecretStr | None) -> SecretStr | None:
        keys = parts_of(given)
        if len(keys) > _KEYS_AT_MOST:
            raise ValueError(f"{len(keys)} keys are more than the new one and the one before it")
        if any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError(f"a key needs {_SHORTEST_KEY} characters; make one: srqueue signing new-key")
        return given if keys else None

    @field_validator("audit_log")
    @classmethod
    def _whole_path(cls, given: str) -> str:
        if given and given != "syslog" and not Path(given).is_absolute():
            raise ValueError("must be syslog, or the absolute path of a file")
        return given


def parts_of(given: SecretStr | None) -> tuple[str, ...]:
    """What stands between commas."""
    text = given.get_secret_value() if given else ""
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)
