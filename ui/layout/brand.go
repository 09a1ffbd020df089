package layout

import (
	"context"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/nubedigitalmx/avisa/db"
)

// Product is the name that stands where no company is set up.
const Product = "Avisa"

type brandKey struct{}

// WithBrand sets how a request's pages find whose they are. It is asked once, by pages alone.
func WithBrand(ctx context.Context, find func() db.Brand) context.Context {
	return context.WithValue(ctx, brandKey{}, find)
}

// Brand is the company whose pages these are.
func Brand(ctx context.Context) db.Brand {
	var brand db.Brand
	if find, ok := ctx.Value(brandKey{}).(func() db.Brand); ok {
		brand = find()
	}
	if brand.Name == "" {
		brand.Name = Product
	}
	return brand
}

// LogoURL is where the company's picture is.
func LogoURL(ctx context.Context) string { return versioned("/marca/logo", Brand(ctx)) }

// initial stands where there is no logo.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r))
}

// versioned is an address that changes with the company, so that browsers may keep what it gives.
func versioned(path string, brand db.Brand) string {
	return path + "?v=" + strconv.FormatInt(brand.Version, 36)
}
