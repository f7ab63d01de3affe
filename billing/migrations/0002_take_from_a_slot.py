"""The function that takes messages from a quota; ``billing.quota`` explains the slots.

A function, because each attempt needs a subtransaction of its own: a row that turned out to be full after
it was waited for stays locked otherwise, and whoever then waits for another while holding it can meet
somebody who does the same. The same with savepoints would be four more round trips for every send.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION billing_take(payer uuid, wanted bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    place bigint;
BEGIN
    -- Any slot with room that nobody holds.
    BEGIN
        SELECT id INTO place FROM billing_quotaslot
        WHERE account_id = payer AND ends_at > now() AND used + wanted <= granted
        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
        IF place IS NOT NULL THEN
            UPDATE billing_quotaslot SET used = used + wanted WHERE id = place;
            RETURN true;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'HQ001';
    EXCEPTION WHEN SQLSTATE 'HQ001' THEN
        NULL;
    END;
    -- All are held: stand in one queue, at random, so that the queues stay short.
    BEGIN
        SELECT id INTO place FROM billing_quotaslot
        WHERE account_id = payer AND ends_at > now() AND used + wanted <= granted
        ORDER BY random() LIMIT 1;
        UPDATE billing_quotaslot SET used = used + wanted
        WHERE id = place AND ends_at > now() AND used + wanted <= granted;
        IF FOUND THEN
            RETURN true;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'HQ001';
    EXCEPTION WHEN SQLSTATE 'HQ001' THEN
        NULL;
    END;
    RETURN false;
END
$$
"""


class Migration(migrations.Migration):
    """Creates ``billing_take``."""

    dependencies = [("billing", "0001_plans_quota_stripe")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION billing_take(uuid, bigint)")]
