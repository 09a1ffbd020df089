package id

import (
	"fmt"
	"io"
)

// The prefixes of fiscal documents.
const (
	CFDIPrefix          = "cfd"
	FiscalProfilePrefix = "fpr"
)

// CFDI identifies our record of a fiscal document, stamped or not; the SAT's own is the UUID.
type CFDI int64

func (v CFDI) String() string               { return format(CFDIPrefix, int64(v)) }
func (v CFDI) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *CFDI) UnmarshalText(text []byte) error {
	return unmarshal(CFDIPrefix, string(text), (*int64)(v))
}
func (v CFDI) MarshalGQL(w io.Writer)       { fmt.Fprintf(w, "%q", v.String()) }
func (v *CFDI) UnmarshalGQL(text any) error { return unmarshal(CFDIPrefix, text, (*int64)(v)) }

// ParseCFDI reads the global id of a fiscal document.
func ParseCFDI(text string) (CFDI, error) {
	n, err := parse(CFDIPrefix, text)
	return CFDI(n), err
}

// FiscalProfile identifies the data that a client's documents are issued to.
type FiscalProfile int64

func (v FiscalProfile) String() string               { return format(FiscalProfilePrefix, int64(v)) }
func (v FiscalProfile) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
func (v *FiscalProfile) UnmarshalText(text []byte) error {
	return unmarshal(FiscalProfilePrefix, string(text), (*int64)(v))
}
func (v FiscalProfile) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", v.String()) }
func (v *FiscalProfile) UnmarshalGQL(text any) error {
	return unmarshal(FiscalProfilePrefix, text, (*int64)(v))
}

// ParseFiscalProfile reads the global id of a fiscal profile.
func ParseFiscalProfile(text string) (FiscalProfile, error) {
	n, err := parse(FiscalProfilePrefix, text)
	return FiscalProfile(n), err
}
