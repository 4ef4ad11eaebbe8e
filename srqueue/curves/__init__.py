"""Curves of a training out of its event lines: what pages, reports and the terminal draw."""

from srqueue.curves.history import Curve, History, Mark, history

__all__ = ["Curve", "History", "Mark", "history"]
