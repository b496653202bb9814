"""What to do next: the one list of actions, a row each, made from what the analyses found."""

from kehu_analysis.actions.listing import list_actions
from kehu_analysis.actions.rows import ACTION_COLUMNS, KINDS, OWNERS, action_id
from kehu_analysis.actions.words import decisions, readable

__all__ = ["ACTION_COLUMNS", "KINDS", "OWNERS", "action_id", "decisions", "list_actions", "readable"]
