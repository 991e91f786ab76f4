"""The forms of an HTML page, as far as a person without JavaScript needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    """A form of a page; ``buttons`` are the named ones, of which one is sent along."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def has_button(self, name: str) -> bool:
        """Tell whether the form has a button of that name."""
        return any(button == name for button, _ in self.buttons)

    def filled(self, **values: str) -> Form:
        """Return the form with these values filled in."""
        return Form(self.action, self.fields | values)


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
            self._is_open = True
        elif self._is_open and "name" in given and tag in ("input", "button"):
            # A box is there to be ticked; empty it counts as not ticked.
            value = "" if given.get("type") == "checkbox" else given.get("value", "")
            if tag == "button":
                self.forms[-1].buttons.append((given["name"], value))
            else:
                self.forms[-1].fields[given["name"]] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False


def forms_of(html: str) -> list[Form]:
    """Return the forms of a page in their order."""
    parser = _FormParser()
    parser.feed(html)
    return parser.forms


def with_field(forms: list[Form], name: str) -> Form | None:
    """Return the first form that has a field of that name."""
    return next((form for form in forms if name in form.fields), None)
