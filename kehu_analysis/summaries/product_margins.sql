-- Sales and product cost of each customer up to :as_of (days since 1970-01-01).
-- amount_with_cost: that of the lines whose cost is known.
SELECT
    customer_key,
    CAST(sum(CAST(amount AS DECIMAL(18, 4))) AS DECIMAL(20, 4)) AS amount,
    CAST(coalesce(sum(CAST(cost AS DECIMAL(18, 4))), 0) AS DECIMAL(20, 4)) AS cost,
    CAST(coalesce(sum(CASE WHEN cost IS NOT NULL THEN CAST(amount AS DECIMAL(18, 4)) END), 0) AS DECIMAL(20, 4))
        AS amount_with_cost,
    count(*) AS n_lines,
    count(*) - count(cost) AS n_lines_without_cost
FROM transactions
WHERE unix_date(CAST(date AS DATE)) <= :as_of
GROUP BY customer_key
ORDER BY customer_key
