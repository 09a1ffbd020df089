package portal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// cancellationText tells a client what a cancellation means for it; "" where there is none. A refused one leaves the
// document as it was, and is nothing to tell.
func cancellationText(ctx context.Context, row db.CFDI) string {
	ct := func(key string, args ...any) string { return component.T(ctx, "cancellation.portal."+key, args...) }
	text := ""
	switch row.CancelState {
	case db.CancelAsked, db.CancelRequested:
		return ct("asked")
	case db.CancelInProcess:
		return ct("in_process", "date", satDay(ctx, row.CancelDeadline))
	case db.CancelDone:
		text = ct("cancelled", "date", satDay(ctx, row.CancelledAt))
		if row.CancelSustitucion != "" {
			text += " " + ct("replaced", "uuid", row.CancelSustitucion)
		}
	}
	return text
}

// satDay is a moment's day where the SAT is.
func satDay(ctx context.Context, at *time.Time) string {
	if at == nil {
		return ""
	}
	return component.Date(ctx, date.Of(*at, fiscal.ZonaCentro()))
}
