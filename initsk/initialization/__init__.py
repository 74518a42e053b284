"""Initialization of any torch module: plan, fill, refine and record."""

from initsk.initialization._initialize import choices_for, initialize
from initsk.initialization._missed import unfilled_reason
from initsk.initialization._record import InitializationRecord

__all__ = ["InitializationRecord", "choices_for", "initialize", "unfilled_reason"]
