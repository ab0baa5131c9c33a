package agent

import (
	"encoding/json"
	"fmt"

	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// requests is a channel that lets through single requests that want an answer, and nothing else of JSON-RPC: upkeep
// sends no batches and no notifications, and jrpc2 (v1.3.6) panics on a broken notification that arrives just before the
// end of the stream. Anything else ends the session.
type requests struct {
	*protocol.Channel
}

// Recv returns the next request.
func (r requests) Recv() ([]byte, error) {
	frame, err := r.Channel.Recv()
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := strictjson.Decode(frame, &fields); err != nil {
		return nil, fmt.Errorf("%w: a frame holds no request: %v", protocol.ErrFrame, err)
	}
	var method string
	var id int64
	if string(fields["jsonrpc"]) != `"2.0"` || json.Unmarshal(fields["id"], &id) != nil || string(fields["id"]) == "null" ||
		json.Unmarshal(fields["method"], &method) != nil || method == "" {
		return nil, fmt.Errorf("%w: a frame holds no request with a number and a method", protocol.ErrFrame)
	}
	for name := range fields {
		switch name {
		case "jsonrpc", "id", "method", "params":
		default:
			return nil, fmt.Errorf("%w: a request has a field that requests do not have", protocol.ErrFrame)
		}
	}
	return frame, nil
}
