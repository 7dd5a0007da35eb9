"""The part of the configuration about robots: where their poses come from, what they report, how goals are sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .sections import NonNegative, Positive, Section

PoseType = Literal["Odometry", "PoseWithCovarianceStamped", "PoseStamped"]
Reliability = Literal["reliable", "best_effort"]
Durability = Literal["volatile", "transient_local"]
GoalWay = Literal["topic", "action"]
GOAL_ACTION = "navigate_to_pose"
"""Below the robot's name, as Nav2 offers it: nav2_msgs/action/NavigateToPose."""

LEAST_TICKS, USUAL_TICKS = 2, 5
"""Ticks without a priority until robots hold: at least, since one may come late, and where nothing is said."""

_TOPIC = re.compile(r"/?[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*")


def _valid_topic(topic: str) -> str:
    if not _TOPIC.fullmatch(topic):
        raise ValueError(f"{topic!r} is no ROS topic: letters, digits, '_' and '/', no leading digit")
    return topic


Topic = Annotated[str, AfterValidator(_valid_topic)]


@dataclass(frozen=True)
class PoseSource:
    """Where a robot's pose comes from.

    Attributes:
        topic: its name, relative to the node's namespace unless it starts with a slash.
        type: of its messages.
        reliability, durability: of the subscription. A transient-local one is never matched by a volatile publisher.
    """

    topic: str
    type: PoseType
    reliability: Reliability
    durability: Durability


class RobotConfig(Section):
    """How a robot node listens, reports and sends goals. Times in [s, ROS time]."""

    pose_topic: Topic = Field("odom", description="below the robot's name")
    pose_type: PoseType = "Odometry"
    pose_reliability: Reliability = "best_effort"
    pose_durability: Durability = Field("volatile", description="transient_local: the last pose is had at once")
    pose_hold: NonNegative = Field(
        0.0, description="[s] a pose stays true while its publisher lives and sends no other; 0: its stamp counts"
    )
    zone_margin: NonNegative = Field(0.0, description="[m] how deep in another zone a robot must be to have changed")
    zone_limit: Positive | None = Field(
        None,
        description="[m] from all zones' edges, beyond which a robot is in none; None: the widest gap between zones",
    )
    heartbeat: Positive = Field(1.0, description="[s] the zone's stamp is renewed at least this often")
    priority_timeout: Positive | None = Field(
        None, description="[s] without a priority: hold the zone; two ticks at least; None: five ticks"
    )
    goals: GoalWay = Field(
        "topic", description="<robot>/goal_pose, or the action <robot>/navigate_to_pose, which needs nav2_msgs"
    )
    goal_timeout: Positive | None = Field(
        None, description="[s] until a goal not reached is sent again; None: if it failed"
    )
    goal_tolerance: Positive = Field(0.75, description="[m] from the slot at which a goal counts as reached")
    cancel_on_stop: bool = Field(False, description="a node that stops sends robots that drive to where they are")


class RobotOverride(Section):
    """What is different for one robot."""

    pose_topic: Topic | None = Field(None, description="below the robot's name unless it starts with a slash")
    pose_type: PoseType | None = None
    pose_reliability: Reliability | None = None
    pose_durability: Durability | None = None
    goals: GoalWay | None = None
    slot: int | None = Field(None, ge=0, description="index of its slot in every zone; None: its index in the fleet")


def priority_timeout(robot: RobotConfig, tick: float) -> float:
    """[s, ROS time] without a priority after which robots hold, of a dispatcher with that tick [s].

    Raises:
        ValueError: every robot would turn back between two ticks.
    """
    given = robot.priority_timeout
    if given is not None and given < LEAST_TICKS * tick:
        raise ValueError(
            f"robot.priority_timeout: {given:g} s is less than two ticks (dispatcher.tick is {tick:g} s), so robots "
            f"would turn back between ticks: give {LEAST_TICKS * tick:g} or more, or leave it out for "
            f"{USUAL_TICKS * tick:g}"
        )
    return USUAL_TICKS * tick if given is None else given


def pose_source(name: str, common: RobotConfig, own: RobotOverride | None) -> PoseSource:
    """Where the pose of the robot of this name comes from."""
    own = own or RobotOverride()
    topic = own.pose_topic or common.pose_topic
    return PoseSource(
        topic if topic.startswith("/") else f"{name}/{topic}",
        own.pose_type or common.pose_type,
        own.pose_reliability or common.pose_reliability,
        own.pose_durability or common.pose_durability,
    )


def goal_way(common: RobotConfig, own: RobotOverride | None) -> GoalWay:
    """How a robot is sent its goals."""
    return (own and own.goals) or common.goals


def node_name(names: Sequence[str]) -> str:
    """Of the node of a process with these robots, so that several such processes differ on one ROS domain."""
    return ("robot_" if len(names) == 1 else "robots_") + names[0].replace("/", "_")
