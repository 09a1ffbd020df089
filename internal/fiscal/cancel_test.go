package fiscal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

const (
	uuidA = "DC55E6A9-2329-5352-8FD9-5B73CE21FF44"
	uuidB = "1164CD6D-3DD5-5893-9CC2-E67E0D05A3DB"
)

func replacementOf(uuid string) *fiscal.Comprobante {
	return &fiscal.Comprobante{CfdiRelacionados: []fiscal.CfdiRelacionados{fiscal.Relacion("04", uuid)},
		Complemento: &fiscal.Complemento{TimbreFiscalDigital: &fiscal.TimbreFiscalDigital{UUID: uuidB}}}
}

func TestCheckCancel(t *testing.T) {
	req := func(motivo, folio string) fiscal.CancelRequest {
		return fiscal.CancelRequest{RfcEmisor: "EKU9003173C9", UUID: uuidA, Motivo: motivo, FolioSustitucion: folio}
	}
	for name, c := range map[string]struct {
		r           fiscal.CancelRequest
		replacement *fiscal.Comprobante
		live        []string
		code        string
	}{
		"02":                          {req("02", ""), nil, nil, ""},
		"03":                          {req("03", ""), nil, nil, ""},
		"04":                          {req("04", ""), nil, nil, ""},
		"01 in order":                 {req("01", uuidB), replacementOf(uuidA), []string{uuidB}, ""},
		"30: 01 without replacement":  {req("01", ""), nil, nil, "cancel_replacement_missing"},
		"30: replacement not stamped": {req("01", uuidB), nil, nil, "cancel_replacement_unrelated"},
		"30: replacement unrelated":   {req("01", uuidB), replacementOf(uuidB), nil, "cancel_replacement_unrelated"},
		"02 with replacement":         {req("02", uuidB), replacementOf(uuidA), nil, "cancel_replacement_unexpected"},
		"no motive":                   {req("", ""), nil, nil, "cancel_motive_invalid"},
		"no uuid":                     {fiscal.CancelRequest{Motivo: "02"}, nil, nil, "cancel_uuid_invalid"},
		"30: live REP":                {req("02", ""), nil, []string{uuidB}, fiscal.CodeCancelNotCancellable},
	} {
		err := fiscal.CheckCancel(c.r, c.replacement, c.live)
		if c.code == "" && err != nil || c.code != "" && !errors.Is(err, &fiscal.Violation{Code: c.code}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelState(t *testing.T) {
	vigente := func(estatus string) fiscal.Status {
		return fiscal.Status{Estado: fiscal.EstadoVigente, EstatusCancelacion: estatus}
	}
	for _, c := range []struct {
		from fiscal.CancelState
		seen fiscal.Status
		want fiscal.CancelState
	}{
		{fiscal.CancelRequested, fiscal.Status{Estado: fiscal.EstadoNoEncontrado}, fiscal.CancelRequested},
		{fiscal.CancelRequested, vigente(""), fiscal.CancelRequested},
		{fiscal.CancelRequested, vigente(fiscal.CancelacionEnProceso), fiscal.CancelInProcess},
		{fiscal.CancelInProcess, vigente(fiscal.CancelacionRechazada), fiscal.CancelRejected},
		{fiscal.CancelInProcess, fiscal.Status{Estado: fiscal.EstadoCancelado, EstatusCancelacion: fiscal.CancelacionPlazoVencido}, fiscal.CancelDone},
		{fiscal.CancelNone, fiscal.Status{Estado: fiscal.EstadoCancelado}, fiscal.CancelDone}, // by the issuer at the SAT's site
		{fiscal.CancelNone, vigente(fiscal.CancelacionEnProceso), fiscal.CancelNone},
		{fiscal.CancelDone, vigente(""), fiscal.CancelDone},
	} {
		if got := c.from.Observe(c.seen); got != c.want {
			t.Errorf("%q + %+v = %q, want %q", c.from, c.seen, got, c.want)
		}
	}
	// Every combination: Estado alone cancels.
	states := []fiscal.CancelState{fiscal.CancelNone, fiscal.CancelRequested, fiscal.CancelInProcess, fiscal.CancelDone, fiscal.CancelRejected}
	for _, from := range states {
		for _, estado := range []string{fiscal.EstadoVigente, fiscal.EstadoCancelado, fiscal.EstadoNoEncontrado, ""} {
			for _, estatus := range []string{"", fiscal.CancelacionEnProceso, fiscal.CanceladoSinAceptacion, fiscal.CanceladoConAceptacion, fiscal.CancelacionPlazoVencido, fiscal.CancelacionRechazada, "algo nuevo"} {
				want := from
				switch asked := from != fiscal.CancelNone && from != fiscal.CancelDone; {
				case estado == fiscal.EstadoCancelado:
					want = fiscal.CancelDone
				case estado == fiscal.EstadoVigente && asked && estatus == fiscal.CancelacionEnProceso:
					want = fiscal.CancelInProcess
				case estado == fiscal.EstadoVigente && asked && estatus == fiscal.CancelacionRechazada:
					want = fiscal.CancelRejected
				}
				if got := from.Observe(fiscal.Status{Estado: estado, EstatusCancelacion: estatus}); got != want {
					t.Errorf("%q + %q %q = %q, want %q", from, estado, estatus, got, want)
				}
			}
		}
	}
	for from, ok := range map[fiscal.CancelState]bool{fiscal.CancelNone: true, fiscal.CancelRejected: true, fiscal.CancelRequested: false, fiscal.CancelInProcess: false, fiscal.CancelDone: false} {
		if _, got := from.Request(); got != ok {
			t.Errorf("request from %q: %v", from, got)
		}
	}
}

func TestBusinessDays(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse("2006-01-02", s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-11-20", 3, "2026-11-25"}, // Friday
		{"2026-11-13", 1, "2026-11-17"}, // Monday 16 is a holiday
		{"2026-01-30", 1, "2026-02-03"}, // first Monday of February
		{"2026-03-13", 1, "2026-03-17"}, // third Monday of March
		{"2026-04-30", 2, "2026-05-06"}, // 1 and 5 May
		{"2026-09-15", 1, "2026-09-17"},
		{"2026-12-24", 1, "2026-12-28"},
		{"2030-09-30", 1, "2030-10-02"},
		{"2029-09-28", 1, "2029-10-01"},
		{"2026-12-31", 1, "2027-01-04"},
	} {
		if got := fiscal.AddBusinessDays(day(c.from), c.n).Format("2006-01-02"); got != c.want {
			t.Errorf("%s + %d: %s, want %s", c.from, c.n, got, c.want)
		}
	}
	if got := fiscal.AddBusinessDays(day("2026-12-17"), 1, day("2026-12-18"), day("2026-12-21")).Format("2006-01-02"); got != "2026-12-22" {
		t.Errorf("extra holidays: %s", got)
	}
	if got := fiscal.DefaultCancelPolicy.AcceptanceDeadline(day("2026-11-20")).Format(time.DateTime); got != "2026-11-25 23:59:59" {
		t.Error(got)
	}
	for persona, want := range map[fiscal.Persona]string{fiscal.PersonaMoral: "2027-03-31 23:59:59", fiscal.PersonaFisica: "2027-04-30 23:59:59"} {
		if got := fiscal.DefaultCancelPolicy.Deadline(day("2026-02-01"), persona).Format(time.DateTime); got != want {
			t.Errorf("%v: %s, want %s", persona, got, want)
		}
	}
	if got := fiscal.RepDueDate(day("2026-12-31")).Format("2006-01-02"); got != "2027-01-05" {
		t.Error(got)
	}
}

func TestNeedsAcceptance(t *testing.T) {
	build := func(mutate func(*fiscal.Draft)) *fiscal.Comprobante {
		d := draft(line("1000.00", fiscal.IVA16))
		if mutate != nil {
			mutate(&d)
		}
		c, err := fiscal.Build(d)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	later := noon.AddDate(0, 0, 10)
	p := fiscal.DefaultCancelPolicy
	for name, c := range map[string]struct {
		doc  *fiscal.Comprobante
		now  time.Time
		want bool
	}{
		"1160 pesos":        {build(nil), later, true},
		"next business day": {build(nil), time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC), false}, // Monday, 23:00 local
		"the day after":     {build(nil), time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC), true},
		"1000 pesos":        {build(func(d *fiscal.Draft) { d.Lines[0].IVA = fiscal.IVA0 }), later, false},
		"credit note":       {build(func(d *fiscal.Draft) { d.Tipo = fiscal.TipoEgreso }), later, false},
		"generic":           {build(func(d *fiscal.Draft) { d.Receptor = fiscal.SinRfc("CLIENTE DE MOSTRADOR", lugar) }), later, false},
		"REP": {&fiscal.Comprobante{TipoDeComprobante: "P", Fecha: "2026-11-20T10:00:00", LugarExpedicion: lugar, Total: "0",
			Receptor: &universidad}, later, true},
	} {
		if got := p.NeedsAcceptance(c.doc, c.now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRetryDelay(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 30 * time.Second, 3: 2 * time.Minute, 4: 10 * time.Minute, 5: time.Hour, 60: time.Hour} {
		if got := fiscal.RetryDelay(n); got != want {
			t.Errorf("%d: %v", n, got)
		}
	}
	if fiscal.StampExpired(noon, noon.Add(72*time.Hour)) || !fiscal.StampExpired(noon, noon.Add(73*time.Hour)) {
		t.Error("72 hours")
	}
}

func TestFriendlyMessage(t *testing.T) {
	es, ok := fiscal.FriendlyMessage("CFDI40145", "es-MX")
	en, _ := fiscal.FriendlyMessage("CFDI40145", "en")
	if !ok || es == en || es == "" {
		t.Error(es, en)
	}
	if _, ok := fiscal.FriendlyMessage("CFDI40102", "es"); ok {
		t.Error("a seal is not the client's business")
	}
}
