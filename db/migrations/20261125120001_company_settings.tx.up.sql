-- What the company says at the foot of its documents, and the language it speaks to who has chosen none.
ALTER TABLE company
    ADD COLUMN pdf_footer text NOT NULL DEFAULT '',
    ADD COLUMN language   text NOT NULL DEFAULT 'es-MX' CHECK (language IN ('es-MX', 'en'));
