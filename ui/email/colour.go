package email

import (
	"math"
	"strconv"
)

const defaultColour = "#0f766e"

// brandColour returns the company's colour, or ours when it is not #rrggbb: the mails write it into their styles as it
// is (templ.SafeCSS), because looking through each of them takes longer than the rest of a mail's facts.
func brandColour(text string) string {
	if len(text) != 7 || text[0] != '#' {
		return defaultColour
	}
	if _, err := strconv.ParseUint(text[1:], 16, 32); err != nil {
		return defaultColour
	}
	return text
}

// readableOn returns white or near-black, whichever has the higher contrast on the colour
// (WCAG 2.2, relative luminance).
func readableOn(colour string) string {
	rgb, _ := strconv.ParseUint(colour[1:], 16, 32)
	channel := func(shift uint) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	luminance := 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
	if 1.05/(luminance+0.05) >= (luminance+0.05)/0.05*0.9 {
		return "#ffffff"
	}
	return "#111827"
}
