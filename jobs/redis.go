package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Connect opens Redis and checks that it answers and is version 6.2 or newer. Addresses:
//
//	redis://user:password@host:6379/0 (rediss:// with TLS)
//	redis-sentinel://user:password@host1:26379,host2:26379/0?master=name&sentinel_password=other (rediss-sentinel:// with TLS)
//	redis-cluster://user:password@host1:6379?addr=host2:6379 (rediss-cluster:// with TLS)
func Connect(ctx context.Context, address string) (redis.UniversalClient, error) {
	redis.SetLogger(silent{}) // what goes wrong comes back as an error, which is logged once
	client, err := open(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("redis does not answer: %w", err)
	}
	if err := checkVersion(ctx, client); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// errAddress says no more, because the address holds a password.
var errAddress = errors.New("REDIS_URL is not a valid Redis address (redis://, rediss://, redis-sentinel://…?master=name, redis-cluster://)")

// buffer is what each connection reads and writes at once, in bytes: tasks are small and there are many connections,
// for which go-redis would keep 64 KB each.
const buffer = 4096

func open(address string) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	switch scheme {
	case "redis", "rediss", "unix":
		options, err := redis.ParseURL(address)
		if err != nil {
			return nil, errAddress
		}
		options.ReadBufferSize, options.WriteBufferSize = buffer, buffer
		return redis.NewClient(options), nil
	case "redis-cluster", "rediss-cluster":
		options, err := redis.ParseClusterURL(strings.TrimSuffix(scheme, "-cluster") + "://" + rest)
		if err != nil {
			return nil, errAddress
		}
		options.ReadBufferSize, options.WriteBufferSize = buffer, buffer
		return redis.NewClusterClient(options), nil
	case "redis-sentinel", "rediss-sentinel":
		return openSentinel(address, scheme == "rediss-sentinel")
	}
	return nil, errAddress
}

// openSentinel connects to the master that sentinels name. User and password are those of the Redis servers; the
// sentinels, which often ask for none, have their own.
func openSentinel(address string, encrypted bool) (redis.UniversalClient, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Query().Get("master") == "" {
		return nil, errAddress
	}
	query := u.Query()
	password, _ := u.User.Password()
	options := &redis.FailoverOptions{MasterName: query.Get("master"), SentinelAddrs: strings.Split(u.Host, ","), Username: u.User.Username(), Password: password,
		SentinelUsername: query.Get("sentinel_username"), SentinelPassword: query.Get("sentinel_password"),
		ReadBufferSize: buffer, WriteBufferSize: buffer}
	if number := strings.Trim(u.Path, "/"); number != "" {
		if options.DB, err = strconv.Atoi(number); err != nil {
			return nil, errAddress
		}
	}
	if encrypted {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return redis.NewFailoverClient(options), nil
}

// checkVersion reads the version; a server that does not tell it (an in-process one) passes.
func checkVersion(ctx context.Context, client redis.UniversalClient) error {
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return nil // a stand-in without INFO
	}
	for line := range strings.SplitSeq(info, "\n") {
		version, ok := strings.CutPrefix(strings.TrimSpace(line), "redis_version:")
		if !ok {
			continue
		}
		parts := append(strings.Split(version, "."), "0", "0")
		major, _ := strconv.Atoi(parts[0])
		minor, _ := strconv.Atoi(parts[1])
		if major < 6 || major == 6 && minor < 2 {
			return fmt.Errorf("redis 6.2 or newer (or Valkey) is needed, this is %s", version)
		}
	}
	return nil
}
