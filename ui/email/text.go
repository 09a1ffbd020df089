package email

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/nubedigitalmx/avisa/internal/locale"
)

// width of the text part, characters.
const width = 72

// column is how long the labels of facts are at most that values stand beside in a column, characters.
const column = 26

// text writes the text part of a letter.
func text(l letter) string {
	t := func(key string, args ...any) string { return locale.T(l.Language, "mail."+key, args...) }
	var b strings.Builder
	paragraph := func(text string) { b.WriteString(wrap(text) + "\n\n") }
	block := func(lines []string) {
		for _, text := range lines {
			b.WriteString(wrap(text) + "\n")
		}
		b.WriteString("\n")
	}

	if l.Words == nil {
		paragraph(l.Greeting)
		paragraph(l.Lead)
	}
	linked := false
	for _, part := range l.Words {
		for _, passages := range part {
			words := make([]string, len(passages))
			for i, p := range passages {
				words[i], linked = cmp.Or(p.URL, p.Text), linked || p.URL != ""
			}
			b.WriteString(wrap(strings.Join(words, " ")) + "\n")
		}
		b.WriteString("\n")
	}
	facts := append(append([]fact{}, l.Facts...), l.Balance)
	longest := 0
	for _, f := range facts {
		if n := utf8.RuneCountInString(f.Label); n <= column { // a longer one stands out by itself
			longest = max(longest, n)
		}
	}
	for _, f := range facts {
		b.WriteString("  " + f.Label + ":" + strings.Repeat(" ", max(longest-utf8.RuneCountInString(f.Label)+2, 1)) + f.Value + "\n")
		if f.URL != "" {
			b.WriteString("  " + f.URL + "\n")
		}
	}
	b.WriteString("\n")
	if !linked {
		b.WriteString(l.Action.Label + ":\n" + l.Action.URL + "\n\n")
	}
	if len(l.Payment) > 0 {
		title := t("how_to_pay")
		b.WriteString(title + "\n" + strings.Repeat("-", utf8.RuneCountInString(title)) + "\n")
		block(append(append([]string{}, l.Payment...), l.Reference))
	}
	if len(l.Signature) > 0 {
		block(l.Signature)
	}
	b.WriteString("-- \n") // the signature mark: replies leave out what follows
	paragraph(l.Why)
	paragraph(l.HowToStop + " " + l.Change.Label + " (" + l.Change.URL + "), " + t("change.reply"))
	block(l.Legal)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// wrap breaks a line at spaces. A word longer than the width, such as a link, stays whole.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
