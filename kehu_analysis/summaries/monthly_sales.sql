-- Net sales and purchase days of each customer and month, from :first_month up to :as_of.
SELECT
    customer_key,
    month,
    CAST(sum(amount) AS DECIMAL(20, 4)) AS amount,
    sum(is_purchase) AS n_purchase_days
FROM purchase_days
WHERE day <= :as_of AND month >= :first_month
GROUP BY customer_key, month
ORDER BY customer_key, month
