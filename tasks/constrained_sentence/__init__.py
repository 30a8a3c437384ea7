"""One sentence of 6 to 12 words that must contain given words; judged by a rule, there is no key."""

from branchwise.tasks.constrained_sentence.task import Options as Options
from branchwise.tasks.constrained_sentence.task import build as build
