-- Net sales and purchase days of each customer and quarter that had ended by :last_period.
-- A quarter is three months long; one starts with :first_month (12 * year + month - 1).
SELECT
    customer_key,
    CAST(floor((month - :first_month) / 3) AS BIGINT) AS period,
    CAST(sum(amount) AS DECIMAL(20, 4)) AS amount,
    sum(is_purchase) AS n_purchase_days
FROM purchase_days
WHERE CAST(floor((month - :first_month) / 3) AS BIGINT) <= :last_period
GROUP BY customer_key, CAST(floor((month - :first_month) / 3) AS BIGINT)
ORDER BY customer_key, period
