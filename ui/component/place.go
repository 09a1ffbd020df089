package component

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/nubedigitalmx/avisa/internal/locale"
)

// Languages are those that people can be written to in.
func Languages() []Option {
	return []Option{{Value: locale.Spanish, Label: "Español (México)"}, {Value: locale.English, Label: "English"}}
}

// alpha2 are the officially assigned codes of ISO 3166-1.
const alpha2 = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE " +
	"GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP " +
	"KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF " +
	"NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN " +
	"SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"

// countryLists are the countries by language, by name, Mexico first.
var countryLists = map[string][]Option{
	locale.Spanish: countryList(display.Spanish.Regions(), language.LatinAmericanSpanish),
	locale.English: countryList(display.English.Regions(), language.English),
}

func countryList(names display.Namer, order language.Tag) []Option {
	var list []Option
	for code := range strings.FieldsSeq(alpha2) {
		list = append(list, Option{Value: code, Label: cmp.Or(names.Name(language.MustParseRegion(code)), code)})
	}
	collator := collate.New(order)
	slices.SortFunc(list, func(a, b Option) int {
		if a.Value == "MX" || b.Value == "MX" {
			return boolCompare(b.Value == "MX", a.Value == "MX")
		}
		return collator.CompareString(a.Label, b.Label)
	})
	return list
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Countries lists the choices; a code that is none of them stays choosable, so that it can be seen.
func Countries(ctx context.Context, current string) []Option {
	return withCurrent(countryLists[Lang(ctx)], current)
}

func withCurrent(list []Option, current string) []Option {
	if current == "" || slices.ContainsFunc(list, func(o Option) bool { return o.Value == current }) {
		return list
	}
	return append(slices.Clone(list), Option{Value: current, Label: current})
}

// zoneNames are the time zones that people of Mexican companies work in (IANA names). Any other one
// that is set already stays choosable.
var zoneNames = []string{
	"America/Mexico_City", "America/Cancun", "America/Merida", "America/Monterrey", "America/Matamoros", "America/Chihuahua",
	"America/Ciudad_Juarez", "America/Ojinaga", "America/Mazatlan", "America/Bahia_Banderas", "America/Hermosillo", "America/Tijuana",
	"America/Los_Angeles", "America/Denver", "America/Chicago", "America/New_York", "America/Guatemala", "America/Bogota",
	"America/Lima", "America/Santiago", "America/Argentina/Buenos_Aires", "America/Sao_Paulo", "Europe/Madrid", "UTC",
}

// Zones lists the time zones to choose from; one that is set already stays choosable.
func Zones(ctx context.Context, current string) []Option {
	list := make([]Option, 0, len(zoneNames)+1)
	for _, name := range zoneNames {
		list = append(list, Option{Value: name, Label: ZoneName(ctx, name)})
	}
	if current == "" || slices.Contains(zoneNames, current) {
		return list
	}
	return append(list, Option{Value: current, Label: ZoneName(ctx, current)})
}

// ZoneName is what people call a time zone: "Centro de México", or the city of its IANA name.
func ZoneName(ctx context.Context, name string) string {
	if key := "portal.zone." + name; locale.Has(key) {
		return T(ctx, key)
	}
	return strings.ReplaceAll(name[strings.LastIndex(name, "/")+1:], "_", " ")
}
