-- One row a customer with at least one purchase day up to :as_of (days since 1970-01-01).
-- A return nets against the latest earlier purchase day: of the repeat purchases is what comes from the second on.
-- recent_gap: the longest wait that ended after :recent_from.
-- Logs are summed as decimals, so that the order of summation leaves no trace in the result.
WITH numbered AS (
    SELECT
        customer_key, day, amount, is_purchase,
        sum(is_purchase) OVER (PARTITION BY customer_key ORDER BY day) AS purchase_number,
        day - max(CASE WHEN is_purchase = 1 THEN day END) OVER (
            PARTITION BY customer_key ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS interval_days
    FROM purchase_days
    WHERE day <= :as_of
)
SELECT
    customer_key,
    min(CASE WHEN is_purchase = 1 THEN day END) AS first_day,
    max(CASE WHEN is_purchase = 1 THEN day END) AS last_day,
    max(purchase_number) - 1 AS frequency,
    CAST(sum(amount) AS DECIMAL(20, 4)) AS total_amount,
    CAST(sum(CASE WHEN purchase_number > 1 THEN amount ELSE 0 END) AS DECIMAL(20, 4)) AS repeat_amount,
    CAST(coalesce(sum(CASE WHEN is_purchase = 1 THEN CAST(ln(interval_days) AS DECIMAL(18, 12)) END), 0)
        AS DECIMAL(28, 12)) AS sum_log_interval,
    coalesce(max(CASE WHEN is_purchase = 1 AND day > :recent_from THEN interval_days END), 0) AS recent_gap
FROM numbered
WHERE purchase_number > 0
GROUP BY customer_key
ORDER BY customer_key
