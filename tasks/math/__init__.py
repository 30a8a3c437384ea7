"""Mathematics from your file in the layout of GSM8K, MATH-500 or AIME; formulas are equal as mathematics."""

from branchwise.tasks.math.task import Options as Options
from branchwise.tasks.math.task import build as build
