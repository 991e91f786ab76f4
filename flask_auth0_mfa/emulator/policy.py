"""The policy of a tenant: it runs the Actions until the user has something to do."""

from __future__ import annotations

from dataclasses import dataclass

from .actions import Action, PostLoginApi, event_of
from .flow import Command, Flow, Step
from .refusals import Refused
from .users import ENROLLABLE, User

#: Auth0 allows this many challenge and enroll commands in one flow.
MAX_COMMANDS = 4


@dataclass(frozen=True)
class Policy:
    """The Actions of a tenant, its enabled factors, and its own MFA policy as a backstop.

    ``always`` is the tenant policy "Always": any factor is due in every flow where the Actions
    asked for none.
    """

    actions: tuple[Action, ...]
    factors: frozenset[str]
    always: bool = False

    def proceed(self, flow: Flow) -> Step | None:
        """Run Actions until the user has something to do, or to the end (None).

        Raises Refused when an Action denies access or no factor can satisfy it.
        """
        while True:
            if flow.commands:
                return self._step(self._next(flow), flow.user)
            if flow.next_action == len(self.actions):
                return self._backstop(flow)
            self._run(flow)

    def _next(self, flow: Flow) -> Command:
        enrolled = flow.user.active_types()
        if flow.commands[0].verb == "enroll" and enrolled and not flow.passed:
            # Whoever has a factor proves it before another one is added.
            return Command("challenge", tuple(enrolled))
        return flow.commands.popleft()

    def _run(self, flow: Flow) -> None:
        action = self.actions[flow.next_action]
        flow.next_action += 1
        api = PostLoginApi(flow)
        action(event_of(flow), api)
        flow.commands_given += len(api.commands)
        if flow.commands_given > MAX_COMMANDS:
            raise _unmet(f"More than {MAX_COMMANDS} challenge and enroll commands in one flow.")
        flow.commands.extend(api.commands)

    def _step(self, command: Command, user: User) -> Step:
        enabled = [t for t in command.types if t in self.factors]
        if command.verb == "challenge":
            enrolled = user.active_types()
            if usable := tuple(t for t in enabled if t in enrolled):
                return Step(challenge=usable)
        elif usable := tuple(t for t in enabled if t in ENROLLABLE):
            return Step(enroll=usable)
        raise _unmet("None of the factors that are asked for can be used.")

    def _backstop(self, flow: Flow) -> Step | None:
        if (self.always or flow.multifactor) and not flow.passed:
            return Step(listed=False)
        return None


def _unmet(description: str) -> Refused:
    return Refused(403, "unmet_authentication_requirements", description)
