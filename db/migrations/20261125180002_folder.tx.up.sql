-- The fiscal folder: documents of a month, and their download in one archive.
CREATE INDEX cfdi_fecha ON cfdi (fecha, id) WHERE uuid IS NOT NULL;
CREATE INDEX cfdi_client_fecha ON cfdi (client_id, fecha, id) WHERE uuid IS NOT NULL;
ALTER TABLE cfdi_download
    DROP CONSTRAINT cfdi_download_format_check,
    ADD CONSTRAINT cfdi_download_format_check CHECK (format IN ('xml', 'pdf', 'acuse', 'zip'));
