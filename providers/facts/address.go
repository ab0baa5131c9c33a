package facts

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
)

// Address names a resource, and optionally a node under it: certificates.control_plane["a"]@cp1. Brackets always hold a
// for_each key.
type Address struct {
	Type, Name, Key, Node string
}

// String returns the address as the user writes it.
func (a Address) String() string {
	s := a.Type + "." + a.Name
	if a.Key != "" {
		s += "[" + strconv.Quote(a.Key) + "]"
	}
	if a.Node != "" {
		s += "@" + a.Node
	}
	return s
}

// On returns the address of a node under the resource.
func (a Address) On(node string) Address {
	a.Node = node
	return a
}

// Resource returns the address without its node.
func (a Address) Resource() Address { return a.On("") }

// Covers reports whether a names b itself or something that b is part of.
func (a Address) Covers(b Address) bool {
	return a.Type == b.Type && a.Name == b.Name && (a.Key == "" || a.Key == b.Key) && (a.Node == "" || a.Node == b.Node)
}

// MarshalJSON writes the address as a string.
func (a Address) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Address) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	return a.UnmarshalText([]byte(s))
}

// MarshalText writes the address as String does, so that it can be the key of a JSON object.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

var addressPattern = regexp.MustCompile(`^([a-z][a-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_-]*)(?:\[("(?:[^"\\]|\\.)*")\])?(?:@([A-Za-z0-9][A-Za-z0-9._-]*))?$`)

// ParseAddress reads TYPE.NAME, TYPE.NAME["KEY"], and either with @NODE.
func ParseAddress(s string) (Address, error) {
	m := addressPattern.FindStringSubmatch(s)
	if m == nil {
		return Address{}, fmt.Errorf("%q is not an address; write TYPE.NAME, TYPE.NAME[\"KEY\"] or TYPE.NAME@NODE, such as certificates.control_plane@cp1", s)
	}
	a := Address{Type: m[1], Name: m[2], Node: m[4]}
	if m[3] != "" {
		key, err := strconv.Unquote(m[3])
		if err != nil {
			return Address{}, fmt.Errorf("%q is not an address: bad key %s: %w", s, m[3], err)
		}
		a.Key = key
	}
	return a, nil
}
