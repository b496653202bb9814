-- The purchase days of one customer (:customer_key) up to :as_of (days since 1970-01-01).
SELECT day
FROM purchase_days
WHERE customer_key = :customer_key AND is_purchase = 1 AND day <= :as_of
ORDER BY day
