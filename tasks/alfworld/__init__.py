"""ALFWorld's household games in text, on their real engine; needs the extra `alfworld`."""

from branchwise.tasks.alfworld.task import Options as Options
from branchwise.tasks.alfworld.task import build as build
