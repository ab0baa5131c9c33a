package quote

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"upkeep/providers/akash/price"
)

// WithHours copies the JSON of an answer, and puts the amount an hour behind every amount a month: usd_hour behind
// usd_month, and before_usd_hour and after_usd_hour behind the before and after of a change. All else stays, in its
// order.
func WithHours(data []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var out bytes.Buffer
	if err := copyValue(&out, decoder, ""); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON value")
	}
	return out.Bytes(), nil
}

// copyValue copies one value, which stands under a key of an object; empty: it does not.
func copyValue(out *bytes.Buffer, in *json.Decoder, key string) error {
	token, err := in.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case json.Delim:
		return copyMembers(out, in, token)
	case json.Number:
		out.WriteString(token.String())
		if name := hourKey(key); name != "" {
			amount, err := price.ParseUSD(token.String())
			if err != nil {
				return err
			}
			out.WriteString(`,"` + name + `":` + amount.Hourly())
		}
		return nil
	default:
		return writeToken(out, token)
	}
}

func copyMembers(out *bytes.Buffer, in *json.Decoder, opened json.Delim) error {
	out.WriteString(opened.String())
	for first := true; in.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		key := ""
		if opened == '{' {
			name, err := in.Token()
			if err != nil {
				return err
			}
			if err := writeToken(out, name); err != nil {
				return err
			}
			out.WriteByte(':')
			key, _ = name.(string) // the name of a member is a text
		}
		if err := copyValue(out, in, key); err != nil {
			return err
		}
	}
	closed, err := in.Token()
	if err != nil {
		return err
	}
	return writeToken(out, closed)
}

func writeToken(out *bytes.Buffer, token json.Token) error {
	if delim, ok := token.(json.Delim); ok {
		out.WriteString(delim.String())
		return nil
	}
	data, err := json.Marshal(token)
	out.Write(data)
	return err
}

// hourKey names the amount an hour that stands behind the amount of a key; empty: the key has no amount a month.
func hourKey(key string) string {
	if name, ok := strings.CutSuffix(key, "usd_month"); ok {
		return name + "usd_hour"
	}
	if key == "before" || key == "after" {
		return key + "_usd_hour"
	}
	return ""
}
