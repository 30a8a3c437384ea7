"""The words that sentences must contain: common nouns, verbs in the past tense, and adjectives."""

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NOUNS: Final = _words(
    """
    apple baker balloon barn basket beach bear bell bird boat book bottle bread bridge brother bus
    butter camera candle car carpenter castle cat chair cheese child church city cloud coat coin cook
    corner cow cup dancer daughter doctor dog door dragon dress driver drum duck engine farmer father
    feather fence field fire fish flower forest fox friend garden gate ghost girl glass goat grandmother
    guitar hammer harbor hat hill horse hospital hotel house island jacket judge kettle key king kitchen
    kite knife ladder lake lamp lantern leaf letter library lion map market meadow mirror monkey moon
    mother mountain mouse museum nail neighbor nest nurse ocean onion orange oven owl painter painting
    paper parrot path piano picture pilot pirate plate pocket poet pond potato prince puppy queen rabbit
    radio rain ribbon river road robot roof rope sailor sandwich school shadow sheep ship shirt shoe
    shop sister snow soldier song soup spider spoon stone storm stove street student table tailor
    teacher tent thief tiger tower town train tree truck umbrella uncle valley village violin wagon wall
    watch window winter wizard wolf
    """
)

VERBS: Final = _words(
    """
    admired answered borrowed brought built buried carried caught chased cleaned climbed closed cooked
    counted crossed danced drew dropped entered fed filled fixed followed forgot found gave grew guarded
    helped hid jumped kept kicked knocked laughed learned left lifted lit listened lost mended missed
    moved opened ordered packed painted picked planted played pointed pulled pushed reached remembered
    rescued returned rode sang saved shared shouted slept smiled sold stole studied swam threw touched
    traveled visited waited walked warned washed watched whispered won wore wrote
    """
)

ADJECTIVES: Final = _words(
    """
    ancient angry black blue brave bright broken brown busy calm cheap clean clever cold cool curious
    dark deep dirty dry empty enormous fast foggy fresh friendly frozen funny gentle golden green happy
    heavy honest hot huge hungry kind lazy little lonely long loud lucky narrow new nervous noisy old
    orange patient pink polite poor proud purple quick quiet red rich round rusty sad shiny short shy
    silent silver sleepy slow small smooth soft square steep strange strong sunny sweet tall thin tiny
    tired warm wet white wide wild wise wooden yellow young
    """
)
