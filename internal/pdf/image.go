package pdf

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"sync/atomic"
)

// maxLogoPixels bounds the work that a logo can cause: a small PNG file may unpack to gigabytes.
const maxLogoPixels = 4_000_000

// ErrLogo is returned for a logo that is neither a PNG nor a JPEG picture of at most four megapixels.
var ErrLogo = errors.New("pdf: logo_invalid: the logo must be a PNG or JPEG picture of at most four megapixels")

// picture is a logo in the encoding that the file stores.
type picture struct {
	key           [sha256.Size]byte
	width, height int
	entries       string // of the image dictionary
	data          []byte
	alpha         []byte // compressed, nil when opaque
}

// The logo of the last document: one company sends many documents.
var lastPicture atomic.Pointer[picture]

func loadPicture(raw []byte) (*picture, error) {
	key := sha256.Sum256(raw)
	if p := lastPicture.Load(); p != nil && p.key == key {
		return p, nil
	}
	p, err := decodePicture(raw)
	if err != nil {
		return nil, err
	}
	p.key = key
	lastPicture.Store(p)
	return p, nil
}

func decodePicture(raw []byte) (*picture, error) {
	if config, err := jpeg.DecodeConfig(bytes.NewReader(raw)); err == nil {
		return jpegPicture(raw, config)
	}
	config, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil || config.Width*config.Height > maxLogoPixels || config.Width <= 0 || config.Height <= 0 {
		return nil, ErrLogo
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, ErrLogo
	}
	bounds := img.Bounds()
	p := &picture{width: bounds.Dx(), height: bounds.Dy()}
	rgb := make([]byte, 0, 3*p.width*p.height)
	alpha := make([]byte, 0, p.width*p.height)
	opaque := true
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			rgb = append(rgb, c.R, c.G, c.B)
			alpha = append(alpha, c.A)
			opaque = opaque && c.A == 255
		}
	}
	p.entries, p.data = p.dictionary("/DeviceRGB", "/FlateDecode"), deflate(rgb)
	if !opaque {
		p.alpha = deflate(alpha)
	}
	return p, nil
}

// jpegPicture keeps a JPEG file as it is, because PDF can contain it.
func jpegPicture(raw []byte, config image.Config) (*picture, error) {
	if config.Width*config.Height > maxLogoPixels || config.Width <= 0 || config.Height <= 0 {
		return nil, ErrLogo
	}
	p := &picture{width: config.Width, height: config.Height, data: bytes.Clone(raw)}
	space := "/DeviceRGB"
	switch config.ColorModel {
	case color.GrayModel:
		space = "/DeviceGray"
	case color.CMYKModel: // Adobe writes it inverted
		space = "/DeviceCMYK/Decode[1 0 1 0 1 0 1 0]"
	}
	p.entries = p.dictionary(space, "/DCTDecode")
	return p, nil
}

func (p *picture) dictionary(space, filter string) string {
	return fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace%s/BitsPerComponent 8/Filter%s", p.width, p.height, space, filter)
}

// embed stores the picture and returns its object number.
func (p *picture) embed(out *file) int {
	entries := p.entries
	if p.alpha != nil {
		mask := out.stream(out.reserve(), p.dictionary("/DeviceGray", "/FlateDecode"), p.alpha)
		entries += fmt.Sprintf("/SMask %d 0 R", mask)
	}
	return out.stream(out.reserve(), entries, p.data)
}
