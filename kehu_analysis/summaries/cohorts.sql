-- How many of the customers who first bought in one period bought again in each later one.
-- A period is :months_per_period months long; one starts with :first_month (12 * year + month - 1).
WITH active AS (
    SELECT
        customer_key,
        CAST(floor((month - :first_month) / :months_per_period) AS BIGINT) AS period,
        sum(amount) AS amount
    FROM purchase_days
    WHERE is_purchase = 1 AND day <= :as_of
    GROUP BY customer_key, CAST(floor((month - :first_month) / :months_per_period) AS BIGINT)
),
first_period AS (
    SELECT customer_key, min(period) AS cohort
    FROM active
    GROUP BY customer_key
)
SELECT
    cohort,
    period - cohort AS age,
    count(*) AS n_active,
    CAST(sum(amount) AS DECIMAL(20, 4)) AS amount
FROM active
JOIN first_period USING (customer_key)
GROUP BY cohort, period - cohort
ORDER BY cohort, age
