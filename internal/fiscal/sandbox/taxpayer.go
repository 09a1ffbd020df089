package sandbox

// Taxpayers are the SAT's public test taxpayers with their names in its register, by RFC: a document to one of them
// under another name is refused with CFDI40145, as a PAC does.
var Taxpayers = map[string]string{
	"CACX7605101P8": "XOCHILT CASAS CHAVEZ",
	"EKU9003173C9":  "ESCUELA KEMPER URGATE",
	"H&E951128469":  "HERRERIA & ELECTRICOS",
	"IVD920810GU2":  "INNOVACION VALOR Y DESARROLLO",
	"JES900109Q90":  "JIMENEZ ESTRADA SALAS",
	"OÑO120726RX3":  "ORGANICOS ÑAVEZ OSORIO",
	"URE180429TM6":  "UNIVERSIDAD ROBOTICA ESPAÑOLA",
	"XIA190128J61":  "XENON INDUSTRIAL ARTICLES",
}

// Receivers decide differently in demonstrations: one lets the term of a cancellation pass, one rejects it. Everybody
// else accepts as soon as asked.
var Receivers = map[string]Decision{"H&E951128469": Silent, "IVD920810GU2": Rejects}
