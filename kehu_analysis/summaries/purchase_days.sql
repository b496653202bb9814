-- One row a customer and day with lines. A purchase day has at least one line that is not a return.
-- The casts change nothing in a snapshot; a plain frame has stamps and floats.
-- day: days since 1970-01-01; month: 12 * year + month - 1. Dates become integers here, once.
SELECT
    customer_key,
    unix_date(CAST(date AS DATE)) AS day,
    year(date) * 12 + month(date) - 1 AS month,
    CAST(sum(CAST(amount AS DECIMAL(18, 4))) AS DECIMAL(20, 4)) AS amount,
    max(CASE WHEN CAST(amount AS DECIMAL(18, 4)) >= 0 THEN 1 ELSE 0 END) AS is_purchase,
    count(*) AS n_lines
FROM transactions
GROUP BY customer_key, CAST(date AS DATE), year(date) * 12 + month(date) - 1
ORDER BY customer_key, day
