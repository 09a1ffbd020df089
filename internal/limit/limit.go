// Package limit counts attempts in Redis, so that all processes of an installation share the count.
package limit

import (
	"context"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Redis limits attempts with a leaky bucket (GCRA) per key.
type Redis struct{ limiter *redis_rate.Limiter }

// New uses the Redis behind client.
func New(client redis.UniversalClient) *Redis { return &Redis{redis_rate.NewLimiter(client)} }

// Allow counts an attempt. wait is 0 when it may go on, else the time until the next one may.
func (r *Redis) Allow(ctx context.Context, key string, perMinute int) (wait time.Duration, err error) {
	return r.allow(ctx, key, redis_rate.PerMinute(perMinute))
}

// AllowHourly is Allow for what happens seldom.
func (r *Redis) AllowHourly(ctx context.Context, key string, perHour int) (wait time.Duration, err error) {
	return r.allow(ctx, key, redis_rate.PerHour(perHour))
}

func (r *Redis) allow(ctx context.Context, key string, limit redis_rate.Limit) (wait time.Duration, err error) {
	result, err := r.limiter.Allow(ctx, key, limit)
	if err != nil {
		return 0, err
	}
	if result.Allowed > 0 {
		return 0, nil
	}
	return result.RetryAfter, nil
}

// Reset forgets the attempts of a key.
func (r *Redis) Reset(ctx context.Context, key string) error { return r.limiter.Reset(ctx, key) }
