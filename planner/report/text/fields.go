package text

import "io"

// Field is a thing by its name, in a list of them.
type Field struct{ Name, Value string }

// fieldWidth is the width of the column of names.
const fieldWidth = 11

// Fields writes a list of things, one a line.
func Fields(w io.Writer, fields []Field) error {
	p := &page{}
	for _, f := range fields {
		p.line(pad(clean(f.Name), fieldWidth), clean(f.Value))
	}
	return p.flush(w)
}
