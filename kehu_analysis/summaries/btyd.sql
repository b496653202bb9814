-- One row a customer with at least one purchase day up to :as_of (days since 1970-01-01).
-- A return nets against the latest earlier purchase day: it carries that day's purchase_number.
-- Logs are summed as decimals, so that the order of summation leaves no trace in the result.
WITH days AS (
    SELECT
        customer_key, day, amount, is_purchase,
        sum(is_purchase) OVER (PARTITION BY customer_key ORDER BY day) AS purchase_number
    FROM purchase_days
    WHERE day <= :as_of
),
purchases AS (
    SELECT
        customer_key, purchase_number,
        min(day) AS day,  -- the purchase day itself: its returns come later or on the same day
        sum(amount) AS amount
    FROM days
    WHERE purchase_number > 0
    GROUP BY customer_key, purchase_number
),
intervals AS (
    SELECT
        customer_key, purchase_number, day, amount,
        day - lag(day) OVER (PARTITION BY customer_key ORDER BY day) AS interval_days
    FROM purchases
)
SELECT
    customer_key,
    min(day) AS first_day,
    max(day) AS last_day,
    count(*) - 1 AS frequency,
    CAST(sum(amount) AS DECIMAL(20, 4)) AS total_amount,
    CAST(sum(CASE WHEN purchase_number > 1 THEN amount ELSE 0 END) AS DECIMAL(20, 4)) AS repeat_amount,
    CAST(coalesce(sum(CAST(ln(interval_days) AS DECIMAL(18, 12))), 0) AS DECIMAL(28, 12)) AS sum_log_interval,
    CAST(coalesce(sum(CAST(ln(interval_days) * ln(interval_days) AS DECIMAL(18, 12))), 0) AS DECIMAL(28, 12))
        AS sum_squared_log_interval
FROM intervals
GROUP BY customer_key
ORDER BY customer_key
