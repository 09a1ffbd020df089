package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

// actOnDelivery does something about a delivery and returns it as it is then.
func (r *resolver) actOnDelivery(ctx context.Context, in model.DeliveryInput, verb func(context.Context, ids.Delivery) error) (*db.Delivery, error) {
	key, err := parsed(in.DeliveryID, ids.ParseDelivery)
	if err != nil {
		return nil, err
	}
	if err := verb(ctx, key); err != nil {
		return nil, err
	}
	return pointer(r.Reminder.Delivery(ctx, key))
}
