-- Each purchase day up to :as_of (days since 1970-01-01), with the contacts of one kind in the :days before and after it,
-- the day itself not counted.
WITH happened AS (
    SELECT customer_key, day, amount, is_purchase, 0 AS n_contacts
    FROM purchase_days
    WHERE is_purchase = 1 AND day <= :as_of
    UNION ALL
    SELECT
        customer_keys.customer_key,
        unix_date(CAST(contacts.date AS DATE)) AS day,
        CAST(0 AS DECIMAL(20, 4)) AS amount,
        0 AS is_purchase,
        1 AS n_contacts
    FROM contacts
    JOIN customer_keys ON contacts.customer_id = customer_keys.customer_id
    WHERE contacts.kind = :kind AND unix_date(CAST(contacts.date AS DATE)) <= :as_of
),
counted AS (
    SELECT
        customer_key,
        day,
        amount,
        is_purchase,
        CAST(coalesce(sum(n_contacts) OVER (
            PARTITION BY customer_key ORDER BY day RANGE BETWEEN :days PRECEDING AND 1 PRECEDING
        ), 0) AS INTEGER) AS n_before,
        CAST(coalesce(sum(n_contacts) OVER (
            PARTITION BY customer_key ORDER BY day RANGE BETWEEN 1 FOLLOWING AND :days FOLLOWING
        ), 0) AS INTEGER) AS n_after
    FROM happened
)
SELECT
    customer_key,
    day,
    amount,
    n_before,
    n_after
FROM counted
WHERE is_purchase = 1
ORDER BY customer_key, day
