"""A managed node whose parameters change between two ticks.

    unconfigured --configure--> inactive --activate--> active    back: deactivate, cleanup; shutdown from anywhere

With `autostart` it configures and activates itself, and a user's mistake ends the process with code 2. Otherwise the
transitions come from outside (`ros2 lifecycle set`), a mistake leaves the node in the state it was in, with a sentence
in the log, and one that shows only while it is active takes it through error processing back to unconfigured.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.action.client import ActionClient
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from meanfleet.base.errors import UserError
from meanfleet.base.memory import give_back
from meanfleet.safety import KEEP_NONE, OperatorState, state_file

from .node import Signals, WorkingNode
from .parameters import ParameterSpec

IDLE = 0.1  # [s, wall] between two looks while it is not active
WHOLE, REAL = 2**63 - 1, 1e300  # bounds of numbers that have none


class ManagedNode(LifecycleNodeMixin, WorkingNode):
    """A `WorkingNode` with the life cycle of rclpy's `LifecycleNode`.

    Subclasses fill in `build`, `begin`, `pause`, `act`, and for parameters that change between ticks `prepare`, `put`.

    Args:
        name: of the node.
        table: all its parameters.
        stopped: whether a signal asked for the end.

    Raises:
        UserError: a parameter has the wrong type or is out of bounds.
    """

    def __init__(self, name: str, table: Iterable[ParameterSpec], stopped: Signals) -> None:
        WorkingNode.__init__(self, name)
        self.table, self.stopped = {spec.name: spec for spec in table}, stopped
        for spec in self.table.values():
            self._declare(spec)
        self.operator = self._operator_state()
        self.taken_over = self._take_over()
        self.configured = self.active = self.starting = False
        self.pending: Any = None  # what `prepare` made of accepted parameters and `put` has not put in place yet
        self._candidate: Any = None
        self._untidy = False  # whether values were looked at that may have been large
        self._refusal: UserError | None = None
        self._entities: list[Any] = []
        self._ended = False
        LifecycleNodeMixin.__init__(self)
        self.add_pre_set_parameters_callback(self._type_empty)
        self.add_on_set_parameters_callback(self._judge)
        self.add_post_set_parameters_callback(self._accept)

    # --- what a subclass does

    def build(self) -> None:
        """Configure: read files, make publishers and subscriptions. Raises UserError to stay unconfigured."""
        raise NotImplementedError

    def begin(self) -> None:
        """Activate. Raises UserError to stay inactive."""

    def pause(self) -> None:
        """Deactivate; also called when activating failed half-way."""

    def attend(self) -> None:
        """Called again and again, whatever state the node is in."""

    def act(self) -> float:
        """`work` of an active node."""
        raise NotImplementedError

    @property
    def between_ticks(self) -> bool:
        """Whether new parameters may be put in place now."""
        return True

    def prepare(self, values: Mapping[str, Any], changed: Iterable[str]) -> Any:
        """Make, from all values by name, what `put` needs; nothing of the node changes yet.

        Raises:
            UserError: the values are refused.
        """

    def put(self, prepared: Any) -> None:
        """Put in place what `prepare` made."""

    # --- entities that live from configure to cleanup

    def advertise(self, kind: Any, topic: str, qos: QoSProfile) -> Any:
        """A publisher that goes with `release`."""
        publisher = self.create_publisher(kind, topic, qos)
        self._entities.append((self.destroy_publisher, publisher))
        return publisher

    def follow(self, kind: Any, topic: str, callback: Callable[..., None], qos: QoSProfile) -> Any:
        """A subscription that goes with `release`, or with `unfollow`."""
        subscription = self.listen(kind, topic, callback, qos)
        self._entities.append((self.destroy_subscription, subscription))
        return subscription

    def unfollow(self, subscription: Any) -> None:
        """End a subscription that `follow` made."""
        self._entities = [(destroy, entity) for destroy, entity in self._entities if entity is not subscription]
        self.destroy_subscription(subscription)

    def serve(self, kind: Any, name: str, answer: Callable[[Any], tuple[bool, str]]) -> None:
        """A service that goes with `release`; `answer` makes success and message out of a request."""

        def call(request: Any, response: Any) -> Any:
            self.events += 1
            try:
                response.success, response.message = answer(request)
            except BaseException as error:  # it would vanish in the executor
                self.failure = self.failure or error
            return response

        self._entities.append((self.destroy_service, self.create_service(kind, name, call)))

    def ask(self, kind: Any, name: str) -> Any:
        """A service's client that goes with `release`."""
        client: Any = self.create_client(kind, name)
        self._entities.append((self.destroy_client, client))
        return client

    def act_on(self, kind: Any, name: str) -> Any:
        """An action's client that goes with `release`."""
        client: Any = ActionClient(self, kind, name)
        self._entities.append((ActionClient.destroy, client))
        return client

    def release(self) -> None:
        """Give up all that `build` made."""
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities = []
        self.configured, self.pending = False, None

    # --- parameters

    def values(self) -> dict[str, Any]:
        """Values of all parameters of the table."""
        return {name: self.get_parameter_or(name).value for name in self.table}

    def _declare(self, spec: ParameterSpec) -> None:
        descriptor = ParameterDescriptor(
            description=spec.about, additional_constraints=spec.constraints, read_only=spec.effect == "at start"
        )
        if spec.low is not None and isinstance(spec.default, int):
            most = WHOLE if spec.high is None else int(spec.high)
            descriptor.integer_range = [IntegerRange(from_value=int(spec.low), to_value=most)]
        elif spec.low is not None:
            limit = REAL if spec.high is None else float(spec.high)
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(spec.low), to_value=limit)]
        default: Any = Parameter.Type.STRING_ARRAY if spec.default == () else spec.default
        try:
            self.declare_parameter(spec.name, default, descriptor)
        except rclpy.exceptions.InvalidParameterTypeException as error:
            raise UserError(f"parameter '{spec.name}' of {self.get_name()}: {error}") from None
        except rclpy.exceptions.InvalidParameterValueException:
            raise UserError(f"parameter '{spec.name}' of {self.get_name()}: expected {spec.expected}") from None
        if spec.default == () and self.get_parameter_or(spec.name).value is None:
            # A parameter without a value hides all others from `ros2 param dump`, and [] alone tells rclpy no type.
            self.set_parameters([Parameter(spec.name, Parameter.Type.STRING_ARRAY, [])])

    def _type_empty(self, parameters: list[Any]) -> list[Any]:
        """An empty list read from a file has no type of its own: called before parameters are looked at."""
        texts = {name for name, spec in self.table.items() if isinstance(spec.default, tuple)}
        empty = {one.name for one in parameters if one.type_.name.endswith("_ARRAY") and not len(one.value)} & texts
        return [Parameter(p.name, Parameter.Type.STRING_ARRAY, []) if p.name in empty else p for p in parameters]

    def _operator_state(self) -> OperatorState:
        folder = self.get_parameter("state_dir").value if "state_dir" in self.table else KEEP_NONE
        return OperatorState(state_file(folder, self.get_fully_qualified_name()))

    def _take_over(self) -> str:
        """What an operator set at run time, unless it was given at the start; returns it in words."""
        taken = []
        for name, value in self.operator.settings.items():
            spec = self.table.get(name)
            if spec is None or not spec.is_default(self.get_parameter_or(name).value):
                continue
            try:
                spec.check(value)
                kind = (
                    Parameter.Type.STRING_ARRAY
                    if spec.default == ()
                    else Parameter.Type.from_parameter_value(spec.default)
                )
                result = self.set_parameters([Parameter(name, kind, value)])[0]
                reason = "" if result.successful else result.reason
            except (UserError, TypeError, ValueError) as error:
                reason = str(error)
            if reason:
                raise UserError(
                    f"state file {self.operator.path}: {name} cannot be {value!r} ({reason}): mend or remove it"
                )
            taken.append(f"{name} {', '.join(map(str, value)) or 'nobody' if isinstance(value, list) else value}")
        if taken:
            self.get_logger().info(f"taken over from {self.operator.path}: {'; '.join(taken)}")
        return "; ".join(taken)

    def _judge(self, parameters: list[Any]) -> Any:
        """Whether parameters may be set: called before, for all of one call at once."""
        self._candidate, self._untidy = None, True
        changed = {parameter.name: parameter.value for parameter in parameters if parameter.name in self.table}
        try:
            for name, value in changed.items():
                self._check(self.table[name], value)
            if self.configured and changed:
                self._candidate = self.prepare(self.values() | changed, changed)
        except UserError as error:
            return SetParametersResult(successful=False, reason=str(error))
        except Exception as error:  # it would vanish in the executor, and the caller would wait for ever
            self.get_logger().error(traceback.format_exc())
            return SetParametersResult(successful=False, reason=f"internal error: {error}")
        return SetParametersResult(successful=True)

    def _check(self, spec: ParameterSpec, value: Any) -> None:
        changes = value != self.get_parameter_or(spec.name).value  # `ros2 param load` sets all, also what stays
        if self.configured and changes and spec.effect != "between ticks":
            raise UserError(
                f"{spec.name} is read when {self.get_name()} is configured: deactivate and clean it up first, "
                f"then set {spec.name} and configure it again"
            )
        spec.check(value)

    def _accept(self, parameters: list[Any]) -> None:
        """Called after parameters were set, before the caller has the answer."""
        for parameter in parameters:
            spec = self.table.get(parameter.name)
            if spec is not None and spec.effect == "between ticks":
                self.operator.set(spec.name, None if spec.is_default(parameter.value) else parameter.value)
                if self.operator.wrong:
                    self.get_logger().error(self.operator.wrong, throttle_duration_sec=5.0)
        if self._candidate is not None:
            self.pending, self._candidate = self._candidate, None

    # --- the life cycle

    def start(self) -> None:
        """Configure and activate, if the node is to do so itself.

        Raises:
            UserError: it cannot.
        """
        if not self.get_parameter("autostart").value:
            self.get_logger().info("waiting to be configured and activated")
            return
        self.starting = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise self.failure or self._refusal or RuntimeError("the life cycle refused to start")
        self.starting = False

    def work(self) -> float:
        """Put new parameters in place, then act if active."""
        self.attend()
        if self.pending is not None and self.between_ticks:
            prepared, self.pending = self.pending, None
            self.put(prepared)
        if self._untidy and self.between_ticks:
            self._untidy = False
            give_back()
        if not self.active:
            return IDLE
        try:
            return self.act()
        except UserError as error:
            if self.get_parameter("autostart").value:
                raise
            self.get_logger().error(f"gives up: {error}")
            self._refusal = error
            self.trigger_deactivate()  # and from there into error processing
            return IDLE

    def finish(self) -> None:
        """Shut the life cycle down before the node goes."""
        if not self._ended:
            self.trigger_shutdown()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build, or stay unconfigured."""

        def configure() -> None:
            self._refusal = None
            self.build()
            self.configured = True

        return self._attempt("configure", configure, self.release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin, or stay inactive."""

        def activate() -> None:
            self.begin()
            self.active = True
            self.get_logger().info("active")

        return self._attempt("activate", activate, self.pause)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Pause; a node that gave up goes on to error processing."""
        self._stop()
        return TransitionCallbackReturn.SUCCESS if self._refusal is None else TransitionCallbackReturn.ERROR

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give up what configuring made."""
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """The same from any state, for ever."""
        self._ended = True
        self._stop()
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        self._stop()
        self.release()
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        if self.active:
            self.active = False
            self.pause()
            self.get_logger().info("no longer active")

    def _attempt(self, what: str, do: Callable[[], None], undo: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            do()
        except UserError as error:
            undo()
            if self.taken_over:
                error = UserError(f"{error} ({self.operator.path} holds, set at run time: {self.taken_over})")
            if self.starting:
                self._refusal = error
            else:
                self.get_logger().error(f"cannot {what}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.failure = error  # a fault of the program: the loop ends with it
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS
