-- Product cost, and the sales of the lines whose cost is known, of each customer and quarter up to :last_period.
-- A quarter is three months long; one starts with :first_month (12 * year + month - 1).
SELECT
    customer_key,
    CAST(floor((year(CAST(date AS DATE)) * 12 + month(CAST(date AS DATE)) - 1 - :first_month) / 3) AS BIGINT) AS period,
    CAST(sum(CAST(amount AS DECIMAL(18, 4))) AS DECIMAL(20, 4)) AS amount_with_cost,
    CAST(sum(CAST(cost AS DECIMAL(18, 4))) AS DECIMAL(20, 4)) AS cost
FROM transactions
WHERE
    cost IS NOT NULL
    AND CAST(floor((year(CAST(date AS DATE)) * 12 + month(CAST(date AS DATE)) - 1 - :first_month) / 3) AS BIGINT)
    <= :last_period
GROUP BY
    customer_key,
    CAST(floor((year(CAST(date AS DATE)) * 12 + month(CAST(date AS DATE)) - 1 - :first_month) / 3) AS BIGINT)
ORDER BY customer_key, period
