"""What is true of every shop, which no table of the company says."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kehu_analysis.simulate.block import Block
from kehu_analysis.simulate.columns import dates, money, texts
from kehu_analysis.simulate.contacts import planned_visits_per_month
from kehu_analysis.simulate.satisfaction import asked
from kehu_analysis.simulate.world import parameters


def truth_tables(block: Block) -> dict[str, pa.Table]:
    """Return the block's rows of the tables of truth."""
    return {
        "truth_customers": _customers(block),
        "truth_surveys": _surveys(block),
        "truth_campaign_members": _campaign_members(block),
    }


def _customers(block: Block) -> pa.Table:
    shops, lives, clock = block.shops, block.lives, block.clock
    pauses = lives.pause_begin < clock.n_days
    return pa.table(
        {
            "customer_id": block.customer_ids,
            "segment": texts(parameters()["segments"]["codes"], shops.segment),
            "left_on": dates(clock, lives.left_day, lives.left_day < clock.n_days),
            "is_alive": pa.array(lives.left_day >= clock.n_days),
            "paused_from": dates(clock, lives.pause_begin, pauses),
            "paused_until": dates(clock, lives.pause_end, pauses),
            "order_rate_per_week": pa.array(shops.order_rate),
            "regularity": pa.array(shops.regularity.astype(np.int32)),
            "dropout_rate_per_week": pa.array(shops.dropout_rate),
            "order_size_list_amount": pa.array(shops.order_size.round(2)),
            "share_of_wallet": pa.array(shops.share_of_wallet),
            "potential_per_month": pa.array(shops.potential_per_month.round(2)),
            "distance_km": pa.array(shops.distance_km.round(2)),
            "discount_rate": pa.array(shops.discount_rate),
            "earned_discount_rate": pa.array(shops.earned_discount_rate),
            "planned_visits_per_month": pa.array(planned_visits_per_month(shops)),
            "is_late_payer": pa.array(block.payers.is_late),
            "is_bad_debt": pa.array(block.payers.is_bad_debt),
        }
    ).slice(0, block.n_shops)


def _surveys(block: Block) -> pa.Table:
    opinions, n = block.opinions, block.n_shops
    shop, wave = np.nonzero(asked(opinions, block.shops, block.lives.left_day)[:n])
    return pa.table(
        {
            "customer_id": pc.take(block.customer_ids, pa.array(shop)),
            "asked_on": dates(block.clock, opinions.asked_on[shop, wave]),
            "satisfaction": pa.array(opinions.satisfaction[shop, wave].astype(np.int32)),
            "answered": pa.array(opinions.would_answer[shop, wave]),
        }
    )


def _campaign_members(block: Block) -> pa.Table:
    campaigns, n = block.orders.campaigns, block.n_shops
    campaign, shop = np.nonzero(np.stack([one.member[:n] for one in campaigns]))
    return pa.table(
        {
            "promotion_id": texts([one.promotion_id for one in campaigns], campaign),
            "customer_id": pc.take(block.customer_ids, pa.array(shop)),
            "incremental_amount": money(100 * block.orders.incremental[campaign, shop]),
        }
    )
