package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

// demoLogo draws a cloud over a line, in the demo company's colour on transparent ground. It is drawn here so that the
// repository holds no picture.
func demoLogo() ([]byte, error) {
	const side, fine = 192, 4 // pixels, and samples of one in each direction
	circles := []struct{ x, y, r float64 }{{62, 104, 34}, {100, 78, 42}, {140, 106, 32}}
	inside := func(x, y float64) bool {
		for _, c := range circles {
			if (x-c.x)*(x-c.x)+(y-c.y)*(y-c.y) <= c.r*c.r {
				return y <= 128
			}
		}
		return x >= 62 && x <= 140 && y >= 100 && y <= 128 || x >= 44 && x <= 156 && y >= 144 && y <= 154
	}
	picture := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			hits := 0
			for n := range fine * fine {
				if inside(float64(x)+(float64(n%fine)+.5)/fine, float64(y)+(float64(n/fine)+.5)/fine) {
					hits++
				}
			}
			picture.SetNRGBA(x, y, color.NRGBA{0x0f, 0x76, 0x6e, uint8(hits * 255 / (fine * fine))})
		}
	}
	var out bytes.Buffer
	err := png.Encode(&out, picture)
	return out.Bytes(), err
}
