package portal

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// order of the form's fields, in which its errors are listed.
var order = []string{
	"firstname", "lastname", "email", "phonenumber", "companyname", "taxId", "address1", "address2", "city", "state", "postcode",
	"country", "language", "timezone", fieldPassword, fieldPasswordAgain, fieldPermissions, fieldExpiresOn, fieldTopics,
}

type wrongField struct{ ID, Label, Text string }

// wrong lists the fields with errors, from top to bottom.
func (f *contactForm) wrong(ctx context.Context) []wrongField {
	var list []wrongField
	for _, name := range order {
		if text := f.errors[name]; text != "" {
			list = append(list, wrongField{ID: component.Field{Name: name}.ID(), Label: t(ctx, "field."+name), Text: text})
		}
	}
	return list
}

func (f *contactForm) email(ctx context.Context) component.Field {
	field := f.field(ctx, "email", "email", "sm:col-span-4")
	field.Type, field.Required, field.Maxlength = "email", true, "254"
	if f.Row.Access != nil && f.Row.Access.LoginEmail == f.Row.Email {
		field.Hint = t(ctx, "contact.email.login")
	}
	return field
}

func (f *contactForm) phone(ctx context.Context) component.Field {
	field := f.field(ctx, "phonenumber", "tel", "sm:col-span-2")
	field.Type = "tel"
	return field
}

func (f *contactForm) choice(ctx context.Context, name, autocomplete string, options []component.Option) component.Field {
	field := f.field(ctx, name, autocomplete, "sm:col-span-2")
	field.Options = options
	return field
}

func (f *contactForm) passwordLabel(ctx context.Context) string {
	if f.Row.Access != nil {
		return t(ctx, "contact.password.new")
	}
	return t(ctx, "field."+fieldPassword)
}

func (f *contactForm) passwordHint(ctx context.Context) string {
	if f.Row.Access != nil {
		return t(ctx, "contact.password.keep")
	}
	return t(ctx, "contact.password.policy")
}

func languages() []component.Option {
	return []component.Option{{Value: locale.Spanish, Label: "Español (México)"}, {Value: locale.English, Label: "English"}}
}

// alpha2 are the officially assigned codes of ISO 3166-1.
const alpha2 = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE " +
	"GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP " +
	"KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF " +
	"NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN " +
	"SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"

// countryLists are the countries by language, by name, Mexico first.
var countryLists = map[string][]component.Option{
	locale.Spanish: countryList(display.Spanish.Regions(), language.LatinAmericanSpanish),
	locale.English: countryList(display.English.Regions(), language.English),
}

func countryList(names display.Namer, order language.Tag) []component.Option {
	var list []component.Option
	for code := range strings.FieldsSeq(alpha2) {
		list = append(list, component.Option{Value: code, Label: cmp.Or(names.Name(language.MustParseRegion(code)), code)})
	}
	collator := collate.New(order)
	slices.SortFunc(list, func(a, b component.Option) int {
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

// countries lists the choices; a code that is none of them stays choosable, so that it can be seen.
func countries(ctx context.Context, current string) []component.Option {
	return withCurrent(countryLists[component.Lang(ctx)], current)
}

func withCurrent(list []component.Option, current string) []component.Option {
	if current == "" || slices.ContainsFunc(list, func(o component.Option) bool { return o.Value == current }) {
		return list
	}
	return append(slices.Clone(list), component.Option{Value: current, Label: current})
}

// zoneNames are the time zones that people of Mexican companies work in (IANA names). Any other one
// that is set already stays choosable.
var zoneNames = []string{
	"America/Mexico_City", "America/Cancun", "America/Merida", "America/Monterrey", "America/Matamoros", "America/Chihuahua",
	"America/Ciudad_Juarez", "America/Ojinaga", "America/Mazatlan", "America/Bahia_Banderas", "America/Hermosillo", "America/Tijuana",
	"America/Los_Angeles", "America/Denver", "America/Chicago", "America/New_York", "America/Guatemala", "America/Bogota",
	"America/Lima", "America/Santiago", "America/Argentina/Buenos_Aires", "America/Sao_Paulo", "Europe/Madrid", "UTC",
}

func zones(ctx context.Context, current string) []component.Option {
	list := make([]component.Option, 0, len(zoneNames)+1)
	for _, name := range zoneNames {
		label := strings.ReplaceAll(name[strings.LastIndex(name, "/")+1:], "_", " ")
		if key := "portal.zone." + name; locale.Has(key) {
			label = component.T(ctx, key)
		}
		list = append(list, component.Option{Value: name, Label: label})
	}
	return withCurrent(list, current)
}
