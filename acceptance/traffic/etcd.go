package traffic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// keyPrefix holds everything the traffic writes; Kubernetes keeps its objects below /registry.
const keyPrefix = "/upkeep-acceptance/traffic/"

// member is a client of one etcd member and no other.
type member struct {
	address string
	client  *clientv3.Client
}

type etcdClients struct{ all []*member }

// dialEtcd makes a client for each member. The clients retry nothing by themselves and look for a lost member often, so
// that what is counted is the member's absence and not the client's patience.
func dialEtcd(addresses []string, config *tls.Config) (*etcdClients, error) {
	clients := &etcdClients{}
	for _, address := range addresses {
		client, err := clientv3.New(clientv3.Config{
			Endpoints:       []string{"https://" + address},
			TLS:             config.Clone(),
			DialTimeout:     tryLimit,
			MaxUnaryRetries: 1, // one attempt; 0 would stand for the default of 100
			Logger:          zap.NewNop(),
			DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.2, Jitter: 0.1, MaxDelay: 200 * time.Millisecond},
				MinConnectTimeout: time.Second,
			})},
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("etcd member %s: %w", address, err), clients.close())
		}
		clients.all = append(clients.all, &member{address: address, client: client})
	}
	return clients, nil
}

// writeAndRead writes a number under a key of its own and reads it back, linearizably: a member that answers with an
// older one has failed. It never writes a number twice, so it must not be shared between two workers at a time.
func (m *member) writeAndRead(name string) request {
	key := keyPrefix + name
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, tryLimit)
		defer cancel()
		put, err := m.client.Put(ctx, key, strconv.FormatInt(time.Now().UnixNano(), 10))
		if err != nil {
			return fmt.Errorf("write to etcd member %s: %w", m.address, err)
		}
		got, err := m.client.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("read from etcd member %s: %w", m.address, err)
		}
		if len(got.Kvs) != 1 || got.Kvs[0].ModRevision < put.Header.Revision {
			return fmt.Errorf("etcd member %s answered with something older than what it had accepted", m.address)
		}
		return nil
	}
}

// close removes the traffic's keys, through the first member that does it, and ends all connections.
func (c *etcdClients) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*tryLimit)
	defer cancel()
	var removals []request
	var failures error
	for _, m := range c.all {
		removals = append(removals, func(ctx context.Context) error {
			_, err := m.client.Delete(ctx, keyPrefix, clientv3.WithPrefix())
			return err
		})
	}
	if len(removals) > 0 {
		if err := firstOf(removals)(ctx); err != nil {
			failures = fmt.Errorf("remove the traffic's keys from etcd: %w", err)
		}
	}
	for _, m := range c.all {
		failures = errors.Join(failures, m.client.Close())
	}
	return failures
}
