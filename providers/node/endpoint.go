package node

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

const (
	// introduceTimeout bounds the wait for the helper's word: for an etcd elsewhere it connects twice and asks once, for a
	// copy of a stopped member it reads a write-ahead log.
	introduceTimeout = 30 * time.Second
	// answerLimit is how long that word may be.
	answerLimit = 16 << 10
)

// Endpoint connects, through a node, to an etcd that the operator's configuration names. TLS ends on the node. The caller
// closes the connection. Errors are of type *Error.
func (c *Client) Endpoint(ctx context.Context, t Target, e facts.EtcdEndpoint) (net.Conn, error) {
	if err := protocol.CheckEndpoint(e); err != nil {
		return nil, &Error{Node: t.Name, Why: err.Error(), Cause: err}
	}
	line, err := json.Marshal(protocol.EndpointRequest{EtcdEndpoint: e})
	if err != nil {
		return nil, asError(t, err)
	}
	conn, err := c.Tunnel(ctx, t, protocol.ServiceEndpoint)
	if err != nil {
		return nil, err
	}
	if err := introduce(ctx, conn, append(line, '\n')); err != nil {
		conn.Close()
		return nil, asError(t, err)
	}
	return conn, nil
}

// introduce sends the request and reads the answer, and not a byte of what follows it.
func introduce(ctx context.Context, conn net.Conn, line []byte) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(introduceTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(line); err != nil {
		return err
	}
	var sent []byte
	for one := make([]byte, 1); len(sent) == 0 || sent[len(sent)-1] != '\n'; {
		if _, err := conn.Read(one); err != nil {
			return errors.New("the helper did not say whether it does that: " + oneLine(err.Error()))
		}
		if sent = append(sent, one[0]); len(sent) > answerLimit {
			return errors.New("the helper's answer is too long")
		}
	}
	var answer protocol.Answer
	if err := strictjson.Decode(sent, &answer); err != nil {
		return errors.New("the helper's answer cannot be read")
	}
	if answer.Refused != "" {
		return errors.New("the helper says: " + said(answer.Refused))
	}
	return conn.SetDeadline(time.Time{})
}
