package component

import (
	"context"
	"strings"
)

// Month names a month given as 2006-01: "noviembre de 2026".
func Month(ctx context.Context, month string) string {
	year, number, _ := strings.Cut(month, "-")
	return T(ctx, "folder.month.name", "month", T(ctx, "folder.month."+number), "year", year)
}
