"""The characters that a small model knows, one token each, behind three special tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field

PAD, BOS, EOS = 0, 1, 2
SPECIALS = ("<pad>", "<bos>", "<eos>")


@dataclass(frozen=True)
class Vocabulary:
    """A token for each character, in this order, after the special ones."""

    characters: str
    token_of: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbered = {character: len(SPECIALS) + index for index, character in enumerate(self.characters)}
        object.__setattr__(self, "token_of", numbered)

    def __len__(self) -> int:
        return len(SPECIALS) + len(self.characters)

    @property
    def tokens(self) -> tuple[str, ...]:
        """What each token stands for."""
        return (*SPECIALS, *self.characters)

    def encode(self, text: str) -> list[int]:
        """Token ids, one for each character and none at the start; KeyError for an unknown character."""
        return [self.token_of[character] for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of the ordinary tokens; special tokens are left out."""
        return "".join(self.tokens[token] for token in tokens if token >= len(SPECIALS))


ARITHMETIC = Vocabulary("\n0123456789+-*=")
COUNTDOWN = Vocabulary(f"{ARITHMETIC.characters}/: ")
"""The same tokens for the same characters, and three more."""
