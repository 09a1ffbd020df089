package billing

import (
	"fmt"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// ValidCLABE reports whether text is an 18-digit CLABE whose last digit is right (Banco de México:
// each digit by the weights 3, 7, 1 in turn, the products modulo 10, and what is missing to ten).
func ValidCLABE(text string) bool {
	if !digits(text, 18) {
		return false
	}
	sum := 0
	for i := range 17 {
		sum += int(text[i]-'0') * [3]int{3, 7, 1}[i%3] % 10
	}
	return (10-sum%10)%10 == int(text[17]-'0')
}

// PaymentReference is what a client writes into a transfer so that it can be matched: the client's
// number with a check digit (Luhn), at most 20 digits, of which the first ones fit the seven digits of SPEI's
// numeric reference up to client 999,999.
func PaymentReference(client id.Client) string {
	body := fmt.Sprintf("%06d", int64(client))
	return body + string(rune('0'+luhn(body)))
}

// ClientOfReference reads a payment reference; ok is false when its check digit is wrong.
func ClientOfReference(text string) (client id.Client, ok bool) {
	if len(text) < 7 || len(text) > 19 || !digits(text, len(text)) {
		return 0, false
	}
	body := text[:len(text)-1]
	if luhn(body) != int(text[len(text)-1]-'0') {
		return 0, false
	}
	var n int64
	for _, d := range body {
		n = n*10 + int64(d-'0')
	}
	return id.Client(n), n > 0 && PaymentReference(id.Client(n)) == text
}

// luhn is the check digit of ISO/IEC 7812-1.
func luhn(body string) int {
	sum := 0
	for i := range len(body) {
		d := int(body[len(body)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return (10 - sum%10) % 10
}
