package facts

import "strconv"

// PublicQuestion asks what anybody sees of a host from where upkeep runs: the addresses of its name, and the
// certificate that a port serves.
type PublicQuestion struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// Anonymous: the name is not sent (no SNI), and the certificate is not held against it.
	Anonymous bool `json:"anonymous,omitempty"`
}

// Key tells one question from another, in facts.
func (q PublicQuestion) Key() string {
	key := q.Host + ":" + strconv.Itoa(q.Port)
	if q.Anonymous {
		key += " without a name"
	}
	return key
}

// Public is the answer.
type Public struct {
	// Unknown is why the port could not be asked. The addresses may be known all the same.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// NoSuchName: the name service says that there is no such name, or none with an address.
	NoSuchName bool     `json:"no_such_name,omitempty"`
	Addresses  []string `json:"addresses,omitempty"`
	// Blocks are the certificates that the port serves; the first is the leaf.
	Blocks []Certificate `json:"blocks,omitempty"`
	// Untrusted is why a client with the authorities of this machine refuses the certificate; its end is left out of
	// that.
	Untrusted string `json:"untrusted,omitempty" plain:"said"`
}
