"""This machine's registry of data sets; their pixels are looked at by `workers.data_tools` only."""

from srqueue.datasets.adding import add, add_sample
from srqueue.datasets.checking import CheckReport, check
from srqueue.datasets.crop import check_crop
from srqueue.datasets.degraded import degradation_notes
from srqueue.datasets.entry import DatasetEntry
from srqueue.datasets.leaks import check_known, check_validation
from srqueue.datasets.packing import FoundBank, banks, collect, pack
from srqueue.datasets.registry import Registry, dataset_ref, locate, stats_of
from srqueue.datasets.scales import check_scales

__all__ = [
    "CheckReport",
    "DatasetEntry",
    "FoundBank",
    "Registry",
    "add",
    "add_sample",
    "banks",
    "check",
    "check_crop",
    "check_known",
    "check_scales",
    "check_validation",
    "collect",
    "dataset_ref",
    "degradation_notes",
    "locate",
    "pack",
    "stats_of",
]
