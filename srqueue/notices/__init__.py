"""Notices: a person is told when a training ends, fails or stands still, and when a disk fills up."""
