"""Questions from a JSON Lines file of your own, or in GSM8K's layout; graded where a row has an answer."""

from branchwise.tasks.jsonl.task import Options as Options
from branchwise.tasks.jsonl.task import build as build
