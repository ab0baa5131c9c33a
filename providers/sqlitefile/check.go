package sqlitefile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged: what was written is no complete database.
var ErrDamaged = errors.New("the database is damaged")

// Checker looks at a database that streams through it, for what its header promises. It sees no more than that: what is in
// the pages is for SQLite to check.
type Checker struct {
	first []byte
	size  int64
}

// NewChecker returns a checker that has seen nothing.
func NewChecker() *Checker { return &Checker{} }

// Write takes the next bytes of the database. It does not fail.
func (c *Checker) Write(b []byte) (int, error) {
	if missing := HeaderSize - len(c.first); missing > 0 {
		c.first = append(c.first, b[:min(missing, len(b))]...)
	}
	c.size += int64(len(b))
	return len(b), nil
}

// Finish says whether the database was complete; errors wrap ErrDamaged. The header names the number of pages at byte 28, which
// is good where the numbers at 24 and 92 are the same (fileformat2.html, section 1.3.8).
func (c *Checker) Finish() error {
	h, err := ParseHeader(c.first)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if c.size%h.PageSize != 0 {
		return fmt.Errorf("%w: %d bytes is not a multiple of the page size %d", ErrDamaged, c.size, h.PageSize)
	}
	pages := int64(binary.BigEndian.Uint32(c.first[28:]))
	if pages != 0 && binary.BigEndian.Uint32(c.first[24:]) == binary.BigEndian.Uint32(c.first[92:]) && pages != c.size/h.PageSize {
		return fmt.Errorf("%w: its header names %d pages, and it has %d", ErrDamaged, pages, c.size/h.PageSize)
	}
	return nil
}
