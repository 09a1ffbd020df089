package ui

import (
	"maps"
	"net/url"
)

func init() {
	maps.Copy(documents, peopleDocuments)
	maps.Copy(forms, peopleForms)
}

var peopleForms = map[string]url.Values{
	"/consola/clientes/nuevo":                {"name": {""}},
	"/consola/clientes/{id}/datos":           {"name": {""}},
	"/consola/clientes/{id}/contactos/nuevo": {"email": {""}},
	"/clientes/{client}/perfil":              {"name": {""}},
}

// peopleDocuments are those of clients, contacts, access and staff.
var peopleDocuments = map[string]string{
	"Client.owner":                        `{ client(id: "{client}") { owner { loginEmail } } }`,
	"Mutation.importClients":              `mutation { importClients(input: {csv: "x"}) { userErrors { code } } }`,
	"Mutation.addClient":                  `mutation { addClient(input: {details: {name: "", email: "x"}}) { userErrors { code } } }`,
	"Mutation.updateClient":               `mutation { updateClient(input: {clientId: "{client}", details: {name: ""}}) { userErrors { code } } }`,
	"Mutation.closeClient":                `mutation { closeClient(input: {clientId: "{client}", reason: " "}) { userErrors { code } } }`,
	"Mutation.reopenClient":               `mutation { reopenClient(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.inviteOwner":                `mutation { inviteOwner(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.signIn":                     `mutation { signIn(input: {email: "nadie@nada.example", password: "x"}) { userErrors { code } } }`,
	"Mutation.signOut":                    `mutation { signOut { userErrors { code } } }`,
	"Mutation.proveFactor":                `mutation { proveFactor(input: {pending: "x", factor: TOTP, code: "0"}) { userErrors { code } } }`,
	"Mutation.requestPasswordReset":       `mutation { requestPasswordReset(input: {email: "nadie@nada.example"}) { userErrors { code } } }`,
	"Mutation.completePasswordReset":      `mutation { completePasswordReset(input: {token: "x", password: "x", passwordAgain: "x"}) { userErrors { code } } }`,
	"Mutation.acceptInvitation":           `mutation { acceptInvitation(input: {token: "x", password: "x"}) { userErrors { code } } }`,
	"Mutation.changePassword":             `mutation { changePassword(input: {current: "x", password: "y", passwordAgain: "y"}) { userErrors { code } } }`,
	"Mutation.beginTotp":                  `mutation { beginTotp(input: {password: "x"}) { userErrors { code } } }`,
	"Mutation.confirmTotp":                `mutation { confirmTotp(input: {code: "0"}) { userErrors { code } } }`,
	"Mutation.removeTotp":                 `mutation { removeTotp(input: {password: "x"}) { userErrors { code } } }`,
	"Mutation.renewRecoveryCodes":         `mutation { renewRecoveryCodes(input: {password: "x"}) { userErrors { code } } }`,
	"Mutation.beginPasskey":               `mutation { beginPasskey(input: {password: "x"}) { userErrors { code } } }`,
	"Mutation.addPasskey":                 `mutation { addPasskey(input: {ceremony: "x", name: "Llave", response: "{}"}) { userErrors { code } } }`,
	"Mutation.renamePasskey":              `mutation { renamePasskey(input: {passkeyId: "psk_999999", name: "Llave"}) { userErrors { code } } }`,
	"Mutation.removePasskey":              `mutation { removePasskey(input: {passkeyId: "psk_999999", password: "x"}) { userErrors { code } } }`,
	"Mutation.beginPasskeySignIn":         `mutation { beginPasskeySignIn(input: {pending: "x"}) { userErrors { code } } }`,
	"Mutation.finishPasskeySignIn":        `mutation { finishPasskeySignIn(input: {pending: "x", response: "{}"}) { userErrors { code } } }`,
	"Mutation.setClientSecondFactor":      `mutation { setClientSecondFactor(input: {clientId: "{client}", required: false}) { userErrors { code } } }`,
	"Mutation.setStaffSecondFactor":       `mutation { setStaffSecondFactor(input: {required: false}) { userErrors { code } } }`,
	"Mutation.resetLoginFactors":          `mutation { resetLoginFactors(input: {loginId: "log_999999"}) { userErrors { code } } }`,
	"Mutation.resetStaffFactors":          `mutation { resetStaffFactors(input: {staffId: "stf_999999"}) { userErrors { code } } }`,
	"Mutation.offerHandover":              `mutation { offerHandover(input: {contactId: "{contact}"}) { userErrors { code } } }`,
	"Mutation.endHandover":                `mutation { endHandover(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.acceptHandover":             `mutation { acceptHandover(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.addStaff":                   `mutation { addStaff(input: {name: "", email: "x"}) { userErrors { code } } }`,
	"Mutation.updateStaff":                `mutation { updateStaff(input: {staffId: "stf_999999"}) { userErrors { code } } }`,
	"Mutation.viewAs":                     `mutation { viewAs(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.addToken":                   `mutation { addToken(input: {name: "", scopes: [], days: 1}) { userErrors { code } } }`,
	"Mutation.revokeToken":                `mutation { revokeToken(input: {tokenId: "tok_999999"}) { userErrors { code } } }`,
	"Mutation.endSession":                 `mutation { endSession(input: {sessionId: "ses_999999"}) { userErrors { code } } }`,
	"Mutation.signOutEverywhere":          `mutation { signOutEverywhere { userErrors { code } } }`,
	"Mutation.addContact":                 `mutation { addContact(input: {clientId: "{client}", details: {email: ""}}) { userErrors { code } } }`,
	"Mutation.updateContact":              `mutation { updateContact(input: {contactId: "{contact}", topics: [INVOICE]}) { userErrors { code } } }`,
	"Mutation.deleteContact":              `mutation { deleteContact(input: {contactId: "{fresh}"}) { userErrors { code } } }`,
	"Mutation.setSubAccount":              `mutation { setSubAccount(input: {contactId: "{contact}", subAccount: {active: false}}) { userErrors { code } } }`,
	"Mutation.setEmailPreferences":        `mutation { setEmailPreferences(input: {clientId: "{client}", topics: [DOMAIN]}) { userErrors { code } } }`,
	"Mutation.resendInvitation":           `mutation { resendInvitation(input: {contactId: "{contact}"}) { userErrors { code } } }`,
	"Mutation.requestContactVerification": `mutation { requestContactVerification(input: {contactId: "{contact}"}) { userErrors { code } } }`,
	"Mutation.cancelInvitation":           `mutation { cancelInvitation(input: {contactId: "{contact}"}) { userErrors { code } } }`,
	"Mutation.suspendAccess":              `mutation { suspendAccess(input: {contactId: "{contact}"}) { userErrors { code } } }`,
	"Mutation.resumeAccess":               `mutation { resumeAccess(input: {contactId: "{contact}"}) { userErrors { code } } }`,
}
