package component

import (
	"encoding/xml"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// Each rectangle is as tall as its share of the fullest bar and stands on the one before, and the title of a bar and
// the table say the same figures.
func TestChart(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	chart := Chart{Label: "Correos", Series: []Series{{"Enviados", "fill-a", ""}, {"Fallidos", "fill-b", ""}},
		Bars: []Bar{{"lunes", []int64{30, 10}}, {"martes", []int64{0, 0}}, {"miércoles <&>", []int64{0, 20}}}}
	if err := Bars(chart).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	begin, end := strings.Index(page.String(), "<svg"), strings.Index(page.String(), "</svg>")
	var svg struct {
		Label  string `xml:"aria-label,attr"`
		Groups []struct {
			Title string `xml:"title"`
			Rects []struct {
				X      float64 `xml:"x,attr"`
				Y      float64 `xml:"y,attr"`
				Height float64 `xml:"height,attr"`
				Class  string  `xml:"class,attr"`
			} `xml:"rect"`
		} `xml:"g"`
	}
	if err := xml.Unmarshal([]byte(page.String()[begin:end+len("</svg>")]), &svg); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range svg.Groups {
		got = append(got, g.Title)
		for _, r := range g.Rects[1:] { // the first is what the pointer finds
			_, fill, _ := strings.Cut(r.Class, "fill-")
			got = append(got, fill+" at "+strconv.FormatFloat(r.X, 'g', -1, 64)+" from "+strconv.FormatFloat(r.Y, 'g', -1, 64)+" to "+strconv.FormatFloat(r.Y+r.Height, 'g', -1, 64))
		}
	}
	want := []string{
		"lunes · Enviados: 30 · Fallidos: 10", "a at 1.5 from 25 to 100", "b at 1.5 from 0 to 25",
		"martes · Enviados: 0 · Fallidos: 0",
		"miércoles <&> · Enviados: 0 · Fallidos: 20", "b at 21.5 from 50 to 100",
	}
	if !reflect.DeepEqual(got, want) || svg.Label != "Correos" {
		t.Errorf("%q: drawn\n%s\nwant\n%s", svg.Label, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var cells []string
	for cell := range strings.SplitSeq(page.String(), "<td ") {
		if _, text, found := strings.Cut(cell, ">"); found && strings.HasPrefix(cell, "class=\"text-end tabular-nums") {
			text, _, _ = strings.Cut(text, "<")
			cells = append(cells, text)
		}
	}
	if strings.Join(cells, " ") != "30 10 0 0 0 20" {
		t.Errorf("the table says %v", cells)
	}
}
