package sheet_test

import (
	"testing"

	"github.com/nubedigitalmx/avisa/internal/sheet"
)

func TestCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "Café": "Café", "1+1=2": "1+1=2", "a@b.example": "a@b.example", " =1+1": " =1+1", "'=1": "'=1",
		"=1+1": "'=1+1", "+SUM(A1)": "'+SUM(A1)", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
		"＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠A1": "'＠A1",
	} {
		if got := sheet.Cell(text); got != want {
			t.Errorf("%q is written %q, want %q", text, got, want)
		}
	}
}
