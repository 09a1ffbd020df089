package account_test

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// The secret is changed while people have second factors and links are on their way: nobody is locked out,
// no mailed link dies, and the earlier secret goes when nothing needs it.
func TestSecretIsChanged(t *testing.T) {
	w := newWorld(t)
	const first, next = "una llave de prueba de más de 32 bytes", "la llave siguiente, también de más de 32"
	use := func(key string, earlier ...string) {
		t.Helper()
		box, err := secret.New(key, earlier...)
		if err != nil {
			t.Fatal(err)
		}
		w.Secrets = box
	}
	use(first)
	const email = "dueno@uno.example"
	app, added := w.withTOTP(w.as(email, password))
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "dueno@dos.example"}); err != nil {
		t.Fatal(err)
	}
	asked := one[account.ResetNotice](w, w.work())
	w.clock = w.clock.Add(6 * time.Minute)
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "dueno@dos.example"}); err != nil {
		t.Fatal(err)
	}
	jobs, err := w.Store.TakeJobs(t.Context(), 10, time.Minute) // the link is made now and mailed after the change
	if err != nil || len(jobs) != 1 {
		t.Fatalf("%v %v", jobs, err)
	}
	w.do(jobs[0].Kind, jobs[0].Payload)

	use(next, first)
	if later := one[account.ResetNotice](w, w.work()); later.Token == asked.Token {
		t.Error("the second mail has the first one's link")
	} else if err := w.complete(later.Token, "Clave-Nueva-De-Paso-3"); err != nil {
		t.Errorf("a link that was made before: %v", err)
	}
	proves := func(factor account.Factor, code string) bool {
		t.Helper()
		_, err := w.prove(w.pendingFor(email).Pending, factor, code)
		w.clock = w.clock.Add(time.Minute)
		return err == nil
	}
	if !proves(account.FactorTOTP, w.code(app)) || !proves(account.FactorRecovery, added.RecoveryCodes[0]) || proves(account.FactorRecovery, added.RecoveryCodes[0]) {
		t.Error("factors of before the change")
	}
	for _, want := range []account.Rotation{{Resealed: 1, RecoveryCodes: 1}, {RecoveryCodes: 1}} {
		if got, err := w.RotateSecrets(w.system()); err != nil || got != want {
			t.Errorf("%+v %v, want %+v", got, err, want)
		}
	}
	if _, err := w.RotateSecrets(w.as("dueno@dos.example", "Clave-Nueva-De-Paso-3")); codes(err) != "FORBIDDEN" {
		t.Errorf("by an owner: %v", err)
	}

	use(next)
	if proves(account.FactorRecovery, added.RecoveryCodes[1]) {
		t.Error("a recovery code of the secret that is gone")
	}
	if !proves(account.FactorTOTP, w.code(app)) {
		t.Error("an app that was sealed anew")
	}
	use(next, first)
	signed, err := w.prove(w.pendingFor(email).Pending, account.FactorRecovery, added.RecoveryCodes[1])
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := w.NewRecoveryCodes(w.token(signed.Token), password)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.RotateSecrets(w.system()); err != nil || got != (account.Rotation{}) {
		t.Errorf("%+v %v, want nothing left", got, err)
	}
	use(next)
	if !proves(account.FactorRecovery, fresh[0]) {
		t.Error("a recovery code of the new secret")
	}
	use("una tercera llave que nadie conoce, larga")
	if _, err := w.RotateSecrets(w.system()); err == nil {
		t.Error("an app that no secret opens was passed over")
	}
}
