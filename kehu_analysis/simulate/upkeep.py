"""What is written down beside contacts and answers: reasons, ends, who was met, the share of the wallet.

Every column is drawn from a stream of its own, so that one more moves no other. Orders and staying are left alone.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kehu_analysis.simulate.block import Block
from kehu_analysis.simulate.columns import dates, texts
from kehu_analysis.simulate.ragged import choose
from kehu_analysis.simulate.world import parameters

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

#: Kinds of contacts that are about something, and are over on some day.
_WITH_REASON = ("complaint", "service")


def contact_columns(block: Block, kinds: list[str], place: IntArray) -> dict[str, pa.Array]:
    """Return the optional columns of ``contacts``.

    Parameters
    ----------
    block
        Whose contacts.
    kinds
        Kinds in the order in which their contacts stand one after the other.
    place
        Which of all these contacts are rows of the table, in its order.
    """
    given, clock = parameters()["upkeep"], block.clock
    parts = [block.contacts[kind] for kind in kinds]
    sizes = [len(part.shop) for part in parts]
    reasons = [reason for kind in _WITH_REASON for reason in given[f"{kind}_reasons"]]
    reason, resolved, role, level = (np.full(sum(sizes), -1) for _ in range(4))
    of_shop = choose(np.tile(given["level_share"], (len(block.shops), 1)), _uniform(block, "level", len(block.shops)))
    start = 0
    for kind, part, size in zip(kinds, parts, sizes, strict=True):
        rows = slice(start, start + size)
        start += size
        if kind == "delivery":  # the driver hands over goods and writes nothing down
            continue
        role[rows] = _chosen(block, f"role of {kind}", given["person_role_share"], size)
        if kind in _WITH_REASON:
            first = reasons.index(given[f"{kind}_reasons"][0])
            reason[rows] = first + _chosen(block, f"reason of {kind}", given[f"{kind}_reason_share"], size)
            days = -np.log1p(-_uniform(block, f"days of {kind}", size)) * given["resolution_mean_days"]
            ends = part.day + np.rint(days).astype(np.int64)
            is_over = (_uniform(block, f"end of {kind}", size) >= given["share_never_resolved"]) & (ends < clock.n_days)
            resolved[rows] = np.where(is_over, ends, -1)
        else:
            told = _uniform(block, f"told of {kind}", size) < given["share_level_recorded"]
            level[rows] = np.where(told, of_shop[part.shop] + 1, -1)
    reason, resolved, role, level = reason[place], resolved[place], role[place], level[place]
    return {
        "reason": texts(reasons, reason),
        "resolved_on": dates(clock, resolved, resolved >= 0),
        "person_role": texts(given["person_roles"], role),
        "upkeep_level": pa.array(level.astype(np.int32), mask=level < 0),
    }


def answer_columns(block: Block, shop: IntArray, wave: IntArray, answered: NDArray[np.bool_]) -> dict[str, pa.Array]:
    """Return the optional columns of ``surveys``, of shops in waves; nothing of those that did not answer."""
    given = parameters()["wallet"]
    shape = block.opinions.satisfaction.shape
    # Waves come last in the draws, so that a longer log begins with the answers of a shorter one.
    rng = block.world.rng(block.number, "upkeep wallet")
    noise = np.stack([rng.normal(size=shape[0]) for _ in range(shape[1])], axis=1)[shop, wave]
    share = np.clip(block.shops.share_of_wallet[shop] + given["answer_sd"] * noise, 0, 1)
    steps = given["answer_steps"]
    alone = _uniform(block, "alternative", shape[0]) < given["share_without_alternative"]
    return {
        "wallet_share": pa.array(np.rint(steps * share) / steps, mask=~answered),
        "has_alternative": pa.array(~alone[shop], mask=~answered),
    }


def _uniform(block: Block, topic: str, size: int) -> FloatArray:
    return block.world.rng(block.number, f"upkeep {topic}").random(size)


def _chosen(block: Block, topic: str, share: list[float], size: int) -> IntArray:
    return np.asarray(choose(np.tile(share, (size, 1)), _uniform(block, topic, size)))
