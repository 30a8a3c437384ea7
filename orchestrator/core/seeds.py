"""Seeds by lineage: the same draw has the same seed wherever and whenever it is made.

A draw is one sample of one request. Its seed depends on the user's seed, the problem, the parent's lineage,
the purpose and the attempt, plus its sibling number k; on nothing of the run's name, place or time. So
best-of-16 finds the draws of best-of-8, and a resumed run finds its own.
"""

from __future__ import annotations

import hashlib
import random
from functools import lru_cache

SEED_SPACE = 2**31


def seed_for(
    run_seed: int, problem_id: str, lineage: tuple[int, ...], purpose: str, sibling: int = 0, attempt: int = 0
) -> int:
    """The seed in [0, 2^31) of draw number ``sibling`` below the node with this lineage."""
    return (base_seed(run_seed, problem_id, lineage, purpose, attempt) + sibling) % SEED_SPACE


@lru_cache(maxsize=4096)
def base_seed(run_seed: int, problem_id: str, lineage: tuple[int, ...], purpose: str, attempt: int = 0) -> int:
    """The seed of sibling 0; sibling k has base + k, which is also what servers give the k-th of n."""
    address = f"{run_seed}\x1f{problem_id}\x1f{','.join(map(str, lineage))}\x1f{purpose}\x1f{attempt}"
    return int.from_bytes(hashlib.blake2b(address.encode(), digest_size=8).digest(), "big") % SEED_SPACE


def chance(seed: int, *address: object) -> random.Random:
    """The random numbers for one choice of a search, by its address: nothing of them need be saved or replayed."""
    return random.Random("\x1f".join(map(str, (seed, *address))))


def seed_by_content(seed: int, *content: object) -> int:
    """The seed in [0, 2^31) of a draw addressed by what it is about: equal content, equal seed, in any tree."""
    return chance(seed, *map(ascii, content)).randrange(SEED_SPACE)  # a text may hold what has no bytes
