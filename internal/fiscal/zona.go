package fiscal

import (
	"sync"
	"time"
	_ "time/tzdata" // a machine without zone files would date documents in Tijuana two hours ahead
)

// FechaLayout is how the SAT writes moments: local time, no zone.
const FechaLayout = "2006-01-02T15:04:05"

// zones are the postal codes (inclusive, by their first digits) that are not on the time of
// Mexico City. Ley de los Husos Horarios, 2022; the state or border strip is named beside.
var zones = []struct{ from, to, zone string }{
	{"21000", "22999", "America/Tijuana"},       // Baja California
	{"23000", "23999", "America/Mazatlan"},      // Baja California Sur
	{"32000", "32799", "America/Ciudad_Juarez"}, // Juárez and its border strip
	{"32880", "32899", "America/Ojinaga"},       // Ojinaga
	{"63000", "63729", "America/Mazatlan"},      // Nayarit
	{"63736", "63999", "America/Mazatlan"},      // Nayarit without Bahía de Banderas
	{"77000", "77999", "America/Cancun"},        // Quintana Roo
	{"80000", "82999", "America/Mazatlan"},      // Sinaloa
	{"83000", "85999", "America/Hermosillo"},    // Sonora
	{"26000", "26299", "America/Matamoros"},     // Piedras Negras, Acuña
	{"87300", "87499", "America/Matamoros"},     // Matamoros
	{"88000", "88299", "America/Matamoros"},     // Nuevo Laredo
	{"88500", "88799", "America/Matamoros"},     // Reynosa
}

var loadZone = func() func(string) *time.Location {
	var cache sync.Map
	return func(name string) *time.Location {
		if z, ok := cache.Load(name); ok {
			return z.(*time.Location)
		}
		z, err := time.LoadLocation(name)
		if err != nil { // cannot happen with the embedded zones
			z = time.FixedZone("CST", -6*60*60)
		}
		cache.Store(name, z)
		return z
	}
}()

// ZonaHoraria is the time zone of a postal code: Fecha is local time of LugarExpedicion. It
// goes by ranges of postal codes; a municipality with an exception inside a range is an hour off.
func ZonaHoraria(cp string) *time.Location {
	if len(cp) == 5 {
		for _, z := range zones {
			if z.from <= cp && cp <= z.to {
				return loadZone(z.zone)
			}
		}
	}
	return ZonaCentro()
}

// ZonaCentro is the time of Mexico City: FechaTimbrado is written in it.
func ZonaCentro() *time.Location { return loadZone("America/Mexico_City") }

// FormatFecha writes a moment in the local time of a postal code.
func FormatFecha(t time.Time, cp string) string { return t.In(ZonaHoraria(cp)).Format(FechaLayout) }

// ParseFecha reads a Fecha written in the local time of a postal code.
func ParseFecha(s, cp string) (time.Time, error) {
	return time.ParseInLocation(FechaLayout, s, ZonaHoraria(cp))
}
