"""The table as it is printed, line by line."""

from resolver.demo.table import Cell, Column, Group, Look, Tone, look_for, render

_GROUPS = (
    Group("", (Column("name"), Column("gets", optional=True))),
    Group("a rather long title", (Column("cache"), Column("ms", right=True))),
)
_ROWS = [
    (Cell("web.shop"), Cell("10.96.12.10"), Cell("miss", Tone.COSTLY), Cell("12.5")),
    (Cell(""), Cell(""), Cell("hit", Tone.GOOD), Cell("0.3")),
]

_BOXED = """\
┌───────────────────────┬─────────────────────┐
│                       │ a rather long title │
│ name      gets        │ cache            ms │
├───────────────────────┼─────────────────────┤
│ web.shop  10.96.12.10 │ miss           12.5 │
│                       │ hit             0.3 │
└───────────────────────┴─────────────────────┘"""

_ASCII_AND_NARROW = """\
+----------+---------------------+
|          | a rather long title |
| name     | cache            ms |
+----------+---------------------+
| web.shop | miss           12.5 |
|          | hit             0.3 |
+----------+---------------------+"""


def test_numbers_line_up_right_and_a_group_is_as_wide_as_its_title() -> None:
    assert render(_GROUPS, _ROWS, Look(width=47)) == _BOXED


def test_a_narrow_ascii_terminal_gets_ascii_without_the_optional_column() -> None:
    assert render(_GROUPS, _ROWS, Look(width=46, boxes=False)) == _ASCII_AND_NARROW


def test_what_cannot_fit_is_drawn_with_all_that_must_be_said() -> None:
    assert render(_GROUPS, _ROWS, Look(width=10, boxes=False)) == _ASCII_AND_NARROW


def test_a_table_without_rows_is_its_titles() -> None:
    assert render(_GROUPS[:1], [], Look(boxes=False)).splitlines()[2] == "| name  gets |"


def test_colours_change_no_column() -> None:
    painted = render(_GROUPS, _ROWS, Look(width=47, colours=True))
    assert "│ \x1b[32mhit          \x1b[0m   0.3 │" in painted
    for tone in Tone:
        painted = painted.replace(f"\x1b[{tone.value}m", "")
    assert painted.replace("\x1b[0m", "") == _BOXED


def test_a_utf8_terminal_gets_boxes_and_colours() -> None:
    look = look_for(is_terminal=True, encoding="utf-8", width=80, environ={"TERM": "xterm"})
    assert look == Look(width=80, boxes=True, colours=True)


def test_colours_are_left_out_in_a_pipe_with_no_color_and_on_a_dumb_terminal() -> None:
    assert not look_for(is_terminal=False, encoding="utf-8", width=80, environ={}).colours
    assert not look_for(is_terminal=True, encoding="utf-8", width=80, environ={"NO_COLOR": "1"}).colours
    assert not look_for(is_terminal=True, encoding="utf-8", width=80, environ={"TERM": "dumb"}).colours


def test_an_encoding_without_boxes_gets_ascii() -> None:
    assert not look_for(is_terminal=True, encoding="latin-1", width=80, environ={}).boxes
    assert not look_for(is_terminal=True, encoding="no such encoding", width=80, environ={}).boxes
    assert not look_for(is_terminal=True, encoding=None, width=80, environ={}).boxes
