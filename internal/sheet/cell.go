package sheet

import "strings"

// Cell is a text for a CSV file: spreadsheets would take one that begins with a sign for a formula and run it, so an
// apostrophe goes before it (OWASP, CSV Injection). They take the wide signs of East Asian keyboards for the others.
func Cell(text string) string {
	if strings.IndexAny(text, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + text
	}
	return text
}
