"""Arithmetic chains such as 47+38*3-95, made by a seed; the tiny trained models speak their language."""

from branchwise.tasks.arithmetic.task import Options as Options
from branchwise.tasks.arithmetic.task import build as build
