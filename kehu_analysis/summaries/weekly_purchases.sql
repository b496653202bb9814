-- Repeat purchase days by week up to :as_of, of customers who first bought by :acquired_until.
-- Weeks are counted from the day after :acquired_until, so that one ends with that day.
WITH firsts AS (
    SELECT customer_key, min(day) AS first_day
    FROM purchase_days
    WHERE is_purchase = 1
    GROUP BY customer_key
)
SELECT
    CAST(floor((day - :acquired_until - 1) / 7) AS BIGINT) AS week,
    count(*) AS n_purchases
FROM purchase_days
JOIN firsts USING (customer_key)
WHERE is_purchase = 1 AND day > first_day AND first_day <= :acquired_until AND day <= :as_of
GROUP BY CAST(floor((day - :acquired_until - 1) / 7) AS BIGINT)
ORDER BY week
