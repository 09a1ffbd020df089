package money

import (
	"fmt"
	"strings"
)

// InWords writes an amount as Mexican documents do, in upper case: "DOS MIL CIENTO
// CUARENTA Y TRES PESOS 68/100 M.N.", "UN DÓLAR 00/100 USD". With lang "en..." it is
// English: "TWO THOUSAND ONE HUNDRED FORTY-THREE PESOS 68/100 MXN". Every Minor can be written.
func InWords(m Minor, cur Currency, lang string) string {
	v := absolute(int64(m))
	unit := uint64(pow10(cur.Decimals()))
	whole, cents := v/unit, v%unit
	var words string
	if english(lang) {
		words = englishWords(whole) + " " + englishNoun(whole, cur) + fmt.Sprintf(" %02d/100 %s", cents, cur)
		if m < 0 {
			words = "MINUS " + words
		}
		return words
	}
	suffix := string(cur)
	if cur == MXN {
		suffix = "M.N."
	}
	words = spanishWords(whole) + " "
	if whole > 0 && whole%1_000_000 == 0 { // un millón de pesos
		words += "DE "
	}
	words += spanishNoun(whole, cur) + fmt.Sprintf(" %02d/100 %s", cents, suffix)
	if m < 0 {
		words = "MENOS " + words
	}
	return words
}

func spanishNoun(n uint64, cur Currency) string {
	singular, plural := "PESO", "PESOS"
	switch cur {
	case USD:
		singular, plural = "DÓLAR", "DÓLARES"
	case EUR:
		singular, plural = "EURO", "EUROS"
	}
	if n == 1 {
		return singular
	}
	return plural
}

func englishNoun(n uint64, cur Currency) string {
	noun := map[Currency]string{MXN: "PESO", USD: "DOLLAR", EUR: "EURO"}[cur]
	if n == 1 {
		return noun
	}
	return noun + "S"
}

// Every Spanish number here precedes a masculine noun or MIL, MILLONES, BILLONES, so UNO is
// always shortened to UN.
var (
	spanishSmall = strings.Fields("CERO UN DOS TRES CUATRO CINCO SEIS SIETE OCHO NUEVE DIEZ ONCE DOCE TRECE " +
		"CATORCE QUINCE DIECISÉIS DIECISIETE DIECIOCHO DIECINUEVE VEINTE VEINTIÚN VEINTIDÓS VEINTITRÉS " +
		"VEINTICUATRO VEINTICINCO VEINTISÉIS VEINTISIETE VEINTIOCHO VEINTINUEVE")
	spanishTens     = strings.Fields("- - - TREINTA CUARENTA CINCUENTA SESENTA SETENTA OCHENTA NOVENTA")
	spanishHundreds = strings.Fields("- CIENTO DOSCIENTOS TRESCIENTOS CUATROCIENTOS QUINIENTOS SEISCIENTOS " +
		"SETECIENTOS OCHOCIENTOS NOVECIENTOS")
	englishSmall = strings.Fields("ZERO ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE TEN ELEVEN TWELVE THIRTEEN " +
		"FOURTEEN FIFTEEN SIXTEEN SEVENTEEN EIGHTEEN NINETEEN")
	englishTens   = strings.Fields("- - TWENTY THIRTY FORTY FIFTY SIXTY SEVENTY EIGHTY NINETY")
	englishScales = []string{"", " THOUSAND", " MILLION", " BILLION", " TRILLION", " QUADRILLION"}
)

// spanishWords uses the long scale of Spanish: millón 10^6, billón 10^12.
func spanishWords(n uint64) string {
	if n < 1_000_000 {
		return spanishBelowMillion(n)
	}
	var parts []string
	for _, s := range []struct {
		value            uint64
		singular, plural string
	}{{1_000_000_000_000, "BILLÓN", "BILLONES"}, {1_000_000, "MILLÓN", "MILLONES"}} {
		switch count := n / s.value; count {
		case 0:
		case 1:
			parts = append(parts, "UN", s.singular)
		default:
			parts = append(parts, spanishBelowMillion(count), s.plural)
		}
		n %= s.value
	}
	if n > 0 {
		parts = append(parts, spanishBelowMillion(n))
	}
	return strings.Join(parts, " ")
}

func spanishBelowMillion(n uint64) string {
	thousands, rest := n/1000, n%1000
	switch {
	case thousands == 0:
		return spanishBelowThousand(rest)
	case thousands == 1 && rest == 0:
		return "MIL"
	case thousands == 1:
		return "MIL " + spanishBelowThousand(rest)
	case rest == 0:
		return spanishBelowThousand(thousands) + " MIL"
	}
	return spanishBelowThousand(thousands) + " MIL " + spanishBelowThousand(rest)
}

func spanishBelowThousand(n uint64) string {
	if n == 100 {
		return "CIEN"
	}
	if n > 100 {
		if n%100 == 0 {
			return spanishHundreds[n/100]
		}
		return spanishHundreds[n/100] + " " + spanishBelowThousand(n%100)
	}
	if n < 30 {
		return spanishSmall[n]
	}
	if n%10 == 0 {
		return spanishTens[n/10]
	}
	return spanishTens[n/10] + " Y " + spanishSmall[n%10]
}

func englishWords(n uint64) string {
	if n == 0 {
		return englishSmall[0]
	}
	words := ""
	for i := 0; n > 0; i++ {
		if g := n % 1000; g > 0 {
			part := englishBelowThousand(g) + englishScales[i]
			if words == "" {
				words = part
			} else {
				words = part + " " + words
			}
		}
		n /= 1000
	}
	return words
}

func englishBelowThousand(n uint64) string {
	switch {
	case n >= 100 && n%100 == 0:
		return englishSmall[n/100] + " HUNDRED"
	case n >= 100:
		return englishSmall[n/100] + " HUNDRED " + englishBelowThousand(n%100)
	case n < 20:
		return englishSmall[n]
	case n%10 == 0:
		return englishTens[n/10]
	}
	return englishTens[n/10] + "-" + englishSmall[n%10]
}
