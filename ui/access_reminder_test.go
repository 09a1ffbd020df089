package ui

import (
	"maps"
	"net/url"
)

func init() {
	maps.Copy(documents, reminderDocuments)
	maps.Copy(forms, reminderForms)
}

// reminderForms are right but for what only the verb refuses; "?" is the query of the address.
var reminderForms = map[string]url.Values{
	"/consola/clientes/{id}/pausa":                {"accion": {"reanudar"}},
	"/consola/facturas/{id}/pausa":                {"accion": {"reanudar"}},
	"/consola/facturas/{id}/pagos":                {"amount": {"0"}, "method": {"cash"}, "receivedOn": {"2026-04-20"}, "requestKey": {"table"}},
	"/consola/recordatorios/direcciones":          {"cliente": {"{client}"}, "contacto": {"{contact}"}},
	"/consola/recordatorios/politicas/editar":     {"?": {"cliente={client}"}, "cliente": {"{client}"}, "sendFrom": {"09:00"}, "sendUntil": {"18:00"}, "catchUpDays": {"3"}},
	"/consola/recordatorios/politicas/vista":      {"?": {"cliente={client}"}, "cliente": {"{client}"}, "name": {"x"}, "sendFrom": {"09:00"}, "sendUntil": {"18:00"}, "catchUpDays": {"3"}},
	"/consola/recordatorios/politicas/quitar":     {"politica": {"pol_999999"}},
	"/consola/recordatorios/plantillas/editar":    {"?": {"ancla=due&dias=1&idioma=es-MX"}},
	"/consola/recordatorios/plantillas/vista":     {"?": {"ancla=due&dias=1&idioma=es-MX"}},
	"/consola/recordatorios/plantillas/prueba":    {"?": {"ancla=due&dias=1&idioma=es-MX"}, "factura": {"{invoice}"}},
	"/consola/recordatorios/plantillas/original":  {"?": {"ancla=due&dias=1&idioma=es-MX"}},
	"/consola/recordatorios/plantillas/restaurar": {"?": {"ancla=due&dias=1&idioma=es-MX"}, "version": {"tpl_999999"}},
	"/consola/recordatorios/recargos":             {"percent": {"5"}, "graceDays": {"5"}, "currency": {"MXN"}},
	"/consola/recordatorios/recargos/quitar":      {"regla": {"fee_999999"}},
	"/consola/recordatorios/dias/quitar":          {"dia": {"2026-08-14"}, "day": {"2026-08-14"}},
}

// reminderDocuments are those of what concerns reminders.
var reminderDocuments = map[string]string{
	"Query.reminderPolicies":          `{ reminderPolicies { id } }`,
	"Query.previewReminderPolicy":     `{ previewReminderPolicy(input: {clientId: "{client}", name: "x", sendFrom: "09:00", sendUntil: "18:00", steps: []}) { entries { change } } }`,
	"Query.clientGroups":              `{ clientGroups { id } }`,
	"Query.holidays":                  `{ holidays(year: 2026) { day } }`,
	"Query.mailTemplates":             `{ mailTemplates { id } }`,
	"Query.mailTemplateVersions":      `{ mailTemplateVersions(anchor: DUE, days: 1, language: EN) { id } }`,
	"Query.mergeValues":               `{ mergeValues }`,
	"Query.previewMailTemplate":       `{ previewMailTemplate(input: {anchor: DUE, days: 1, language: EN, subject: "", body: ""}, invoice: "{invoice}") { subject } }`,
	"Query.reminderRun":               `{ reminderRun(id: "run_999999") { planned } }`,
	"Query.reminderRuns":              `{ reminderRuns { askedBy } }`,
	"Query.lateFeeRules":              `{ lateFeeRules { id } }`,
	"Query.reminderDashboard":         `{ reminderDashboard { alerts } }`,
	"Query.verifyContacts":            `{ verifyContacts }`,
	"Query.deliveryFailures":          `{ deliveryFailures { reason } }`,
	"Query.previewDelivery":           `{ previewDelivery(id: "del_999999") { subject } }`,
	"Query.bouncedAddresses":          `{ bouncedAddresses(client: "{client}") { email } }`,
	"Mutation.saveReminderPolicy":     `mutation { saveReminderPolicy(input: {clientId: "{client}", name: "", sendFrom: "09:00", sendUntil: "18:00", steps: []}) { userErrors { code } } }`,
	"Mutation.removeReminderPolicy":   `mutation { removeReminderPolicy(input: {policyId: "pol_999999"}) { userErrors { code } } }`,
	"Mutation.addClientGroup":         `mutation { addClientGroup(input: {name: ""}) { userErrors { code } } }`,
	"Mutation.setClientGroup":         `mutation { setClientGroup(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.addHoliday":             `mutation { addHoliday(input: {day: "2026-08-14", name: ""}) { userErrors { code } } }`,
	"Mutation.removeHoliday":          `mutation { removeHoliday(input: {day: "2026-08-14"}) { userErrors { code } } }`,
	"Mutation.saveMailTemplate":       `mutation { saveMailTemplate(input: {anchor: DUE, days: 1, language: EN, subject: "", body: ""}) { userErrors { code } } }`,
	"Mutation.restoreMailTemplate":    `mutation { restoreMailTemplate(input: {templateId: "tpl_999999"}) { userErrors { code } } }`,
	"Mutation.resetMailTemplate":      `mutation { resetMailTemplate(input: {anchor: DUE, days: 1, language: EN}) { userErrors { code } } }`,
	"Mutation.sendTestMail":           `mutation { sendTestMail(input: {template: {anchor: DUE, days: 1, language: EN, subject: "", body: ""}, invoiceId: "{invoice}"}) { userErrors { code } } }`,
	"Mutation.saveLateFeeRule":        `mutation { saveLateFeeRule(input: {name: "", graceDays: 5, percent: 5}) { userErrors { code } } }`,
	"Mutation.removeLateFeeRule":      `mutation { removeLateFeeRule(input: {ruleId: "fee_999999"}) { userErrors { code } } }`,
	"Mutation.setLateFeeExempt":       `mutation { setLateFeeExempt(input: {clientId: "{client}", exempt: false}) { userErrors { code } } }`,
	"Mutation.revokeLinks":            `mutation { revokeLinks(input: {invoiceId: "{invoice}"}) { userErrors { code } } }`,
	"Mutation.replayDelivery":         `mutation { replayDelivery(input: {deliveryId: "del_999999"}) { userErrors { code } } }`,
	"Mutation.replayFailedDeliveries": `mutation { replayFailedDeliveries(input: {days: 0}) { userErrors { code } } }`,
	"Mutation.cancelDelivery":         `mutation { cancelDelivery(input: {deliveryId: "del_999999"}) { userErrors { code } } }`,
	"Mutation.sendDeliveryToMe":       `mutation { sendDeliveryToMe(input: {deliveryId: "del_999999"}) { userErrors { code } } }`,
	"Mutation.clearBounce":            `mutation { clearBounce(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.setVerifyContacts":      `mutation { setVerifyContacts(input: {required: false}) { userErrors { code } } }`,
}
