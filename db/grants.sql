-- What the roles of the application may do, applied after every migration run: idempotent. Tables
-- are granted first and then narrowed, so that a new table works at once and its limits are a line here.
-- Roles belong to the cluster and are in no backup of a database: a database that was restored elsewhere gets
-- them here.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['avisa_migrate', 'avisa_web', 'avisa_worker'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- another database of the cluster was first
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % was not created: the migrating user lacks CREATEROLE. Ask an administrator for CREATE ROLE % NOLOGIN and migrate again.', name, name;
        END;
    END LOOP;
END $$;

DO $$
DECLARE name text;
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('avisa_migrate', 'avisa_web', 'avisa_worker')) < 3 THEN
        RAISE NOTICE 'the roles avisa_migrate, avisa_web and avisa_worker do not all exist: no rights were granted';
        RETURN;
    END IF;
    EXECUTE 'GRANT USAGE, CREATE ON SCHEMA public TO avisa_migrate';
    EXECUTE 'GRANT ALL ON ALL TABLES IN SCHEMA public TO avisa_migrate';
    EXECUTE 'GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO avisa_migrate';
    FOREACH name IN ARRAY ARRAY['avisa_web', 'avisa_worker'] LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO %I', name);
        EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO %I', name);
        -- What is written once, or closed and never removed.
        EXECUTE format('REVOKE UPDATE, DELETE ON audit, csd_notice, receipt_notice, ledger_notice, payment, ledger_entry, invoice_download, late_fee, mail_template, mail_link_key, logo, anticipo, anticipo_refund FROM %I', name);
        EXECUTE format('REVOKE DELETE ON company, client, contact, login, staff, api_token, series, credit_note, refund, client_credit, product, service, service_period, gateway_event, reminder_policy, reminder_step, reminder_run, delivery, client_group, late_fee_rule, mail_link_revocation, cfdi_coverage, stamp_credit FROM %I', name);
        EXECUTE format('REVOKE UPDATE ON invoice_line FROM %I', name);
        EXECUTE format('GRANT UPDATE (voided_at, void_reason) ON payment TO %I', name);
        EXECUTE format('REVOKE UPDATE ON cfdi_coverage FROM %I', name);
        EXECUTE format('GRANT UPDATE (active) ON cfdi_coverage TO %I', name);
        -- What was sent is kept; its content goes after a while, its state follows.
        EXECUTE format('REVOKE UPDATE, DELETE ON email, email_frame FROM %I', name);
        EXECUTE format('GRANT UPDATE (status, reason, detail) ON email TO %I', name);
        -- The schema belongs to the migrations; processes look whether it is theirs.
        EXECUTE format('REVOKE ALL ON migration, migration_lock FROM %I', name);
        EXECUTE format('GRANT SELECT ON migration TO %I', name);
    END LOOP;
    -- Only people edit and remove drafts; issued invoices and their lines are guarded by triggers besides.
    REVOKE DELETE ON invoice, invoice_line FROM avisa_worker;
    -- Only the background sends mail, and forgets what it said.
    REVOKE INSERT ON email, email_frame FROM avisa_web;
    GRANT UPDATE ON email TO avisa_worker;
    -- The background never signs anybody in.
    REVOKE ALL ON totp, recovery_code, passkey, api_token FROM avisa_worker;
    REVOKE INSERT, UPDATE ON session, device, ceremony, failed_sign_in FROM avisa_worker;
    REVOKE DELETE ON failed_sign_in FROM avisa_web;
    REVOKE INSERT, UPDATE ON staff FROM avisa_worker;
    REVOKE INSERT ON logo FROM avisa_worker;
    -- Catalogs come by command.
    REVOKE INSERT, UPDATE, DELETE ON sat_catalog, sat_key FROM avisa_web, avisa_worker;
    -- Only the background compares ledger and documents.
    REVOKE INSERT, UPDATE, DELETE ON ledger_check FROM avisa_web;
    -- People ask for a run, the background does it.
    REVOKE UPDATE, DELETE ON reminder_request FROM avisa_web;
    REVOKE INSERT, DELETE ON reminder_request FROM avisa_worker;
    -- Only the background asks the provider, and writes mails.
    REVOKE INSERT, UPDATE ON stamp_credit FROM avisa_web;
    REVOKE INSERT ON csd_notice, receipt_notice, ledger_notice FROM avisa_web;
    -- A bank statement is matched in temporary tables, whose right a careful administrator takes from everybody.
    BEGIN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO avisa_web', current_database());
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'avisa_web was not granted temporary tables, which bank statements need: %', SQLERRM;
    END;
    -- The user who migrates may switch to the roles, which is how one user serves a small installation.
    BEGIN
        EXECUTE format('GRANT avisa_migrate, avisa_web, avisa_worker TO %I', current_user);
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'the roles were not granted to %: %', current_user, SQLERRM;
    END;
END $$;
