// Package fiscal makes, checks, seals, stamps, reads and cancels Mexican fiscal invoices:
// CFDI 4.0 (Anexo 20) of types I (ingreso), E (egreso) and P (pago, Pagos 2.0).
//
// The names of nodes and attributes are the SAT's own. The road of a document:
//
//	Build / BuildPago / BuildGlobal   amounts by the SAT's rounding rules -> *Comprobante
//	Validate                          the SAT's rules, with its codes     -> []Violation
//	Seal                              cadena original, RSA-SHA256         -> sealed XML bytes
//	Stamper.Stamp                     a PAC (sandbox, swsapien, finkok)   -> stamped XML bytes
//	Parse                             any CFDI, ours or not               -> *Document
//
// Everything here is pure: no database, no clock of its own. Sealed and stamped bytes are
// the document; they are stored and served as they are and never written again.
package fiscal
