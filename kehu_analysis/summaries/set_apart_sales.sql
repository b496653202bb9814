-- Net sales of each month that belong to no customer, up to :as_of (days since 1970-01-01).
-- month: 12 * year + month - 1.
SELECT
    year(date) * 12 + month(date) - 1 AS month,
    CAST(sum(CAST(amount AS DECIMAL(18, 4))) AS DECIMAL(20, 4)) AS amount
FROM transactions_set_apart
WHERE unix_date(CAST(date AS DATE)) <= :as_of
GROUP BY year(date) * 12 + month(date) - 1
ORDER BY month
