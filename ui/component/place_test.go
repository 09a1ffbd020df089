package component

import "testing"

func TestCountries(t *testing.T) {
	list := Countries(t.Context(), "XK")
	if len(list) != 250 || list[0].Label != "México" || list[len(list)-1].Value != "XK" {
		t.Errorf("%d countries, first %v, last %v", len(list), list[0], list[len(list)-1])
	}
}
