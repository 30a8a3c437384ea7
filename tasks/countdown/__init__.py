"""Countdown: reach a target from given numbers with + - * /; a valid step can be a dead end."""

from branchwise.tasks.countdown.task import Options as Options
from branchwise.tasks.countdown.task import build as build
