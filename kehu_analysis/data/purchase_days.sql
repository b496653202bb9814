-- One row a customer and day with lines. A purchase day has at least one line that is not a return.
-- The casts change nothing in a snapshot; a plain frame has stamps and floats.
-- day: days since 1970-01-01; month: 12 * year + month - 1. Dates become integers here, once.
SELECT
    customer_key,
    unix_date(date) AS day,
    year(date) * 12 + month(date) - 1 AS month,
    CAST(amount AS DECIMAL(20, 4)) AS amount,
    is_purchase,
    n_lines
FROM (
    SELECT
        customer_key,
        CAST(date AS DATE) AS date,
        sum(CAST(amount AS DECIMAL(18, 4))) AS amount,
        max(CASE WHEN CAST(amount AS DECIMAL(18, 4)) >= 0 THEN 1 ELSE 0 END) AS is_purchase,
        count(*) AS n_lines
    FROM transactions
    GROUP BY customer_key, CAST(date AS DATE)
) AS days
ORDER BY customer_key, day
