// Package static embeds the browser files that build.mjs makes in dist/: style sheet, script, fonts and
// the GraphQL explorer. Nothing is loaded from another origin. Package ui alone imports it and hands
// the files to asset, so that new browser files leave every page's compiled code as it is.
package static

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var embedded embed.FS

// Dist holds the files of dist/.
func Dist() fs.FS {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path
	}
	return dist
}
