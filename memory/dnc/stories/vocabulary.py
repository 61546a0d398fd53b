"""The entities that stories are about: the official ones of the bAbI tasks, and many others to put in their place."""

from __future__ import annotations

import random
from dataclasses import dataclass

Words = tuple[str, ...]


def _listed(words: str) -> Words:
    return tuple(words.split())


MEN: Words = _listed(
    "Adam Ahmed Andre Ben Carlos Chen Colin David Dmitri Edgar Emil Felix Gavin Georg Hamid Harry Hugo Ivan Jakob"
    " Jamal Karl Kenji Leo Liam Luca Marco Mateo Milan Nikhil Noah Oscar Omar Pablo Peter Quentin Raj Robert Samir"
    " Simon Theo Tom Umar Victor Walter Xavier Yusuf Zane Arthur Bruno Cedric Diego Ethan Finn Gustav Henry Isaac"
    " Jonas Kofi"
)
WOMEN: Words = _listed(
    "Alice Amina Anna Beatrice Bella Carmen Chloe Clara Diana Elena Elsa Eva Fatima Fiona Grace Hana Helen Ida"
    " Irene Jane Jasmin Kate Kim Laura Leila Lena Linda Maria Mei Mina Nadia Nina Nora Olga Paula Petra Priya Rosa"
    " Ruth Sara Selma Sofia Tara Tina Ursula Vera Wanda Xenia Yara Zoe Agnes Brigit Cora Daphne Edith Freya Gloria"
    " Hilda"
)
PLACES: Words = _listed(
    "attic cellar garage library museum pharmacy bakery station airport harbour market church temple stadium"
    " theatre hospital clinic gym pool beach forest farm barn stable factory workshop studio gallery restaurant"
    " cafe bar hotel lobby balcony terrace porch basement pantry laundry nursery closet corridor staircase rooftop"
    " lounge canteen classroom laboratory courtyard playground zoo aquarium castle tower bridge lighthouse marina"
    " warehouse bank embassy courthouse prison bookshop supermarket salon dentist camp cabin tent greenhouse"
    " orchard vineyard mill quarry mine tunnel depot plaza arcade chapel monastery palace villa cottage bungalow"
    " mansion study den parlour conservatory veranda shed yard patio driveway meadow lake island village"
)
OBJECTS: Words = _listed(
    "umbrella passport wallet key phone laptop charger camera lamp candle book notebook pencil pen ruler scissors"
    " hammer screwdriver wrench saw drill ladder bucket broom mop towel pillow blanket jacket coat scarf glove hat"
    " cap boot shoe sock belt tie watch ring necklace bracelet mirror comb brush soap bottle cup mug plate bowl"
    " spoon fork knife pan kettle teapot basket bag backpack purse envelope letter stamp parcel newspaper magazine"
    " map compass torch battery rope tent whistle drum guitar violin flute trumpet ball kite doll puzzle racket"
    " helmet skateboard bicycle coin banknote ticket lemon pear banana orange peach melon carrot potato onion"
    " tomato cheese sandwich cake cookie"
)
CREATURES: tuple[tuple[str, str], ...] = tuple(
    (one, one + "s")
    for one in _listed(
        "dog horse goat cow pig duck hen rabbit tiger bear eagle snake crocodile monkey spider elephant hamster"
        " beaver badger hedgehog squirrel falcon owl raven parrot dolphin shark seal turtle lizard"
    )
)
COLOURS: Words = _listed("black brown purple orange violet turquoise beige golden silver crimson indigo maroon navy")
FORMS: Words = _listed("circle cube cone cylinder pyramid hexagon pentagon star cross oval diamond ring ball block")
HOLDERS: Words = _listed(
    "crate trunk basket drawer bucket barrel jar wardrobe cupboard backpack envelope parcel locker safe tin van"
)


@dataclass(frozen=True)
class Vocabulary:
    """The entities of the stories; every field in the order in which the official files introduce them.

    Attributes:
        men: two (coreference needs to know "he"); ``women`` two.
        places: six rooms of a house; ``town`` six places of tasks 10 and 14.
        givers: four who give and receive (task 5); ``people`` four of tasks 10 and 14.
        objects: three that are carried.
        creatures: four (one, many) of task 15; ``keepers`` four named ones.
        beasts: four species of task 16; ``owners`` five named ones; ``colours`` four.
        shapes: figures of task 17 with or without a colour.
        containers: task 18, the first two always the smallest and second smallest.
        idlers: four who are tired, hungry, thirsty or bored (task 20).
    """

    men: Words
    women: Words
    places: Words
    town: Words
    givers: Words
    people: Words
    objects: Words
    creatures: tuple[tuple[str, str], ...]
    keepers: Words
    beasts: Words
    owners: Words
    colours: Words
    shapes: Words
    containers: Words
    idlers: Words

    @property
    def actors(self) -> Words:
        """The four of the house."""
        return self.women[:1] + self.men + self.women[1:]

    @staticmethod
    def renamed(seed: int) -> Vocabulary:
        """Other entities, none of them official, drawn by ``seed``."""
        draw = random.Random(seed)
        men, women = draw.sample(MEN, 12), draw.sample(WOMEN, 12)
        mixed = men[2:] + women[2:]
        draw.shuffle(mixed)
        places, beasts = draw.sample(PLACES, 12), draw.sample(CREATURES, 8)
        colours, forms = draw.sample(COLOURS, 8), draw.sample(FORMS, 4)
        return Vocabulary(
            men=tuple(men[:2]), women=tuple(women[:2]), places=tuple(places[:6]), town=tuple(places[6:]),
            givers=tuple(mixed[:4]), people=tuple(mixed[4:8]), objects=tuple(draw.sample(OBJECTS, 3)),
            creatures=tuple(beasts[:4]), keepers=tuple(mixed[8:12]), beasts=tuple(b[0] for b in beasts[4:]),
            owners=tuple(mixed[12:17]), colours=tuple(colours[:4]),
            shapes=(forms[0], *(f"{colour} {form}" for colour, form in zip(colours[4:], forms, strict=True))),
            containers=tuple(draw.sample(HOLDERS, 6)), idlers=tuple(mixed[16:20]),
        )  # fmt: skip


OFFICIAL = Vocabulary(
    men=("John", "Daniel"),
    women=("Mary", "Sandra"),
    places=("bathroom", "hallway", "garden", "office", "bedroom", "kitchen"),
    town=("cinema", "office", "school", "kitchen", "park", "bedroom"),
    givers=("Mary", "Fred", "Bill", "Jeff"),
    people=("Bill", "Fred", "Julie", "Mary"),
    objects=("football", "milk", "apple"),
    creatures=(("mouse", "mice"), ("wolf", "wolves"), ("cat", "cats"), ("sheep", "sheep")),
    keepers=("Gertrude", "Winona", "Emily", "Jessica"),
    beasts=("frog", "lion", "swan", "rhino"),
    owners=("Lily", "Bernhard", "Brian", "Julius", "Greg"),
    colours=("green", "white", "gray", "yellow"),
    shapes=("triangle", "pink rectangle", "blue square", "red square", "red sphere", "yellow square"),
    containers=("chocolate", "box of chocolates", "box", "chest", "suitcase", "container"),
    idlers=("Sumit", "Yann", "Jason", "Antoine"),
)
"""The words of the published files."""
