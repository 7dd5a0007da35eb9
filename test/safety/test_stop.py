"""Who stops a fleet and who releases it, without ROS: random lives of nodes and panels against the rule in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meanfleet.safety import Stop, Word
from meanfleet.safety.stop import MOST_RELEASED, RHYTHM, UNSEEN

NODES = ("/dispatcher", "/robots_a", "/robots_b")
FLEET = NODES[0]
PANELS = ("p", "q")
LONG = UNSEEN + RHYTHM


@dataclass
class World:
    """Nodes with disks, panels that are latched, and a network that brings everything to everybody alive at once."""

    alive: dict[str, Stop] = field(default_factory=dict)
    disks: dict[str, dict[str, Word]] = field(default_factory=dict)
    panels: dict[str, tuple[bool, int] | None] = field(default_factory=lambda: dict.fromkeys(PANELS))
    lives: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PANELS, 0))
    wall: float = 0.0
    # The rule in plain words: which buttons are pressed, which panels have said `true` and not been released.
    pressed: set[str] = field(default_factory=set)
    stopping: set[str] = field(default_factory=set)

    def identity(self, panel: str) -> str:
        """Another one in every life."""
        return f"{panel}{self.lives[panel]}"

    def see(self) -> None:
        present = {f"panel:{self.identity(p)}" for p, word in self.panels.items() if word is not None}
        present |= {f"button:{name}" for name in self.alive}
        for stop in self.alive.values():
            stop.see(present, self.wall)

    def spread(self) -> None:
        """All that is known is on disk and with everybody alive; a joined word may change another, so twice."""
        for _ in range(2):
            for name, stop in self.alive.items():
                self.disks[name] = dict(stop.words)
                for other in self.alive.values():
                    other.join(stop.words)
        self.see()

    def start(self, name: str, disk: bool) -> None:
        if name in self.alive:
            return
        words = self.disks.get(name, {}) if disk or not self.alive else {}
        self.alive[name] = Stop(name, name == FLEET, words)
        self.see()
        for panel, word in self.panels.items():
            if word is not None:
                self.alive[name].receive(self.identity(panel), *word, panel, self.wall, fresh=False)
        self.spread()

    def kill(self, name: str) -> None:
        """Nobody can know what only the dead knew: the last one alive stays while another's disk says otherwise."""
        last = list(self.alive) == [name]
        if name in self.alive and not (last and any(self.disks[one] != self.alive[name].words for one in NODES)):
            del self.alive[name]
        self.see()

    def button(self, name: str, pressed: bool) -> None:
        if name not in self.alive:
            return
        self.alive[name].press(pressed)
        (self.pressed.add if pressed else self.pressed.discard)(name)
        if name == FLEET and not pressed:
            self.alive[name].clear(buttons=True)
            self._act()
        self.spread()

    def panel(self, panel: str, pressed: bool) -> None:
        _, number = self.panels[panel] or (False, 0)
        if not self.alive:
            return  # nobody would know; a panel that lives on is received later, by its last word
        self.panels[panel] = (pressed, number + 1)
        (self.stopping.add if pressed else self.stopping.discard)(self.identity(panel))
        self.see()
        for stop in self.alive.values():
            stop.receive(self.identity(panel), pressed, number + 1, panel, self.wall)
        if not pressed:
            self._act()
        self.spread()

    def die(self, panel: str) -> None:
        if self.panels[panel] is not None:
            self.panels[panel] = None
            self.lives[panel] += 1
        self.see()

    def _act(self) -> None:
        self.stopping &= {self.identity(p) for p, word in self.panels.items() if word is not None}

    def check(self) -> None:
        for name, stop in self.alive.items():
            expected = bool(self.stopping) or FLEET in self.pressed or name in self.pressed
            assert stop.stopped == expected, f"{name}: {stop.by}"
            assert bool(stop.by) == expected


EVENTS = st.one_of(
    st.tuples(
        st.sampled_from(["button on", "button off", "kill", "start", "start without disk"]), st.sampled_from(NODES)
    ),
    st.tuples(st.sampled_from(["panel on", "panel off", "panel dies"]), st.sampled_from(PANELS)),
)


@settings(max_examples=400)
@given(st.lists(EVENTS, max_size=40))
def test_who_is_stopped_follows_the_rule_in_whatever_order_nodes_and_panels_live_and_die(
    events: list[tuple[str, str]],
) -> None:
    """A disk may be lost while any other node lives; when all are dead, all disks know what was pressed."""
    world = World()
    for name in NODES:
        world.start(name, disk=False)
    for what, who in events:
        world.wall += LONG
        match what:
            case "button on" | "button off":
                world.button(who, what.endswith("on"))
            case "kill":
                world.kill(who)
            case "start" | "start without disk":
                world.start(who, disk=what == "start")
            case "panel on" | "panel off":
                world.panel(who, what.endswith("on"))
            case "panel dies":
                world.die(who)
        world.wall += LONG  # whoever is known of and not there has been found to have left
        world.see()
        world.spread()
        world.check()
    # No fleet is locked: with everybody alive, buttons, panels and one act release all.
    for name in NODES:
        world.start(name, disk=True)
    for panel in PANELS:
        world.wall += LONG
        world.panel(panel, False)
    for name in NODES:
        world.button(name, False)
    world.wall += LONG
    world.see()
    world.spread()
    world.check()
    assert not any(stop.stopped for stop in world.alive.values())


WORDS = st.builds(
    Word, st.booleans(), st.integers(0, 3), st.integers(-1, 3), st.sampled_from(["", "n"]), st.sampled_from(["", "s"])
)


@given(WORDS, WORDS, WORDS)
def test_knowledge_is_the_same_in_whatever_order_it_arrives(a: Word, b: Word, c: Word) -> None:
    assert a.joined(b) == b.joined(a)
    assert a.joined(b).joined(c) == a.joined(b.joined(c))
    assert a.joined(a) == a
    assert a.joined(Word(True, 9)).stops, "a later stop counts"
    assert Word(True, 2).joined(Word(False, 2)).pressed, "at the same number a stop counts"


@given(WORDS)
def test_a_word_is_read_back(word: Word) -> None:
    assert Word.read(asdict(word)) == word


@pytest.mark.parametrize(
    "wrong", [{"pressed": 1}, {"number": 1.5}, {"number": True}, {"cleared": "x"}, {"number": float("inf")}]
)
def test_a_wrong_word_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        Word.read(asdict(Word(True, 1)) | wrong)


def stopped_by_a_dead_panel() -> Stop:
    stop = Stop("/robots")
    stop.see({"panel:dead", "panel:other"}, 0.0)
    stop.receive("dead", True, 1, "/gui", 0.0)
    return stop


def test_another_panels_false_releases_only_a_panel_that_has_left() -> None:
    stop = stopped_by_a_dead_panel()
    stop.receive("other", False, 1, "/other", 0.0)
    assert stop.by == "panel /gui (it publishes false itself)", "it hangs, perhaps: it is there"
    stop.see({"panel:other"}, 0.0)
    assert stop.stopped, "leaving releases nothing"
    assert "it has left: publish one false on estop" in stop.by
    stop.receive("other", False, 2, "/other", LONG)
    assert not stop.stopped


def test_a_stream_of_false_is_no_act_and_its_first_word_after_a_pause_is_one() -> None:
    stop = stopped_by_a_dead_panel()
    for number in range(1, 9):
        stop.receive("other", False, number, "/other", number * RHYTHM / 2)
    stop.see({"panel:other"}, 0.0)
    for number in range(9, 20):
        stop.receive("other", False, number, "/other", number * RHYTHM / 2)
        assert stop.stopped, "somebody's heartbeat would release by time"
    stop.receive("other", False, 20, "/other", 20 * RHYTHM / 2 + RHYTHM)
    assert not stop.stopped


def test_what_a_panel_said_before_a_node_started_is_no_act() -> None:
    stop = stopped_by_a_dead_panel()
    stop.see({"panel:other"}, 0.0)
    stop.receive("other", False, 1, "/other", LONG, fresh=False)
    assert stop.stopped, "it was said while the other panel was there"
    stop.receive("other", False, 2, "/other", 2 * LONG)
    assert not stop.stopped


def test_a_source_that_was_never_seen_has_left_only_when_it_would_have_been_found() -> None:
    """A node learns of a stop by others, perhaps before it has discovered the panel itself."""
    stop = Stop("/robots")
    stop.join({"panel:a": Word(True, 1), "panel:b": Word(True, 1)})
    stop.see({"panel:other"}, 0.0)
    stop.receive("other", False, 1, "", 0.0)
    stop.see({"panel:other"}, 0.9 * UNSEEN)
    assert len(stop.stopping) == 2
    stop.see({"panel:other", "panel:a"}, 0.95 * UNSEEN)
    stop.see({"panel:other"}, UNSEEN)
    assert list(stop.stopping) == ["panel:a"], "it was there after the act, and has left since"
    stop.receive("other", False, 2, "", UNSEEN)
    assert not stop.stopped


def test_a_panel_that_was_released_in_its_absence_and_is_there_after_all_stops() -> None:
    stop = stopped_by_a_dead_panel()
    stop.see({"panel:other"}, 0.0)
    stop.receive("other", False, 1, "", 0.0)
    assert not stop.stopped
    stop.see({"panel:other", "panel:dead"}, 0.0)
    assert stop.stopped, "the network was cut"
    stop.receive("dead", False, 2, "", 0.0)
    assert not stop.stopped


def test_words_that_come_twice_or_late_change_nothing() -> None:
    stop = Stop("/robots")
    assert stop.receive("p", True, 3, "", 0.0)
    assert not stop.receive("p", True, 3, "", 0.0)
    assert stop.receive("p", False, 4, "", 1.0)
    assert not stop.receive("p", True, 3, "", 1.1), "by another subscription"
    assert not stop.stopped
    assert not stop.receive("q", False, 2, "", 2.0)
    assert not stop.receive("q", True, 1, "", 2.1)
    assert not stop.stopped


def test_a_button_pressed_in_this_life_stays_whatever_others_believe() -> None:
    stop = Stop("/robots")
    stop.press(True)
    assert stop.join({stop.own: Word(False, 7, -1, "/robots", "/robots")})
    assert stop.stopped
    assert stop.words[stop.own].number == 8
    assert not Stop("/others", words=stop.words).stopped, "it stops its own robots"


def test_what_stops_nobody_is_forgotten_in_the_end() -> None:
    stop = Stop("/robots")
    stop.receive("first", True, 1, "", 0.0)
    for number in range(3 * MOST_RELEASED):
        stop.receive(f"p{number}", True, 1, "", 0.0)
        stop.receive(f"p{number}", False, 2, "", 0.0)
    assert len(stop.words) == MOST_RELEASED + 1
    assert list(stop.stopping) == ["panel:first"]
