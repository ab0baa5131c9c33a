package report

import (
	"encoding/json"
	"io"
)

// JSON writes a value as indented JSON, with < > and & unchanged.
func JSON(w io.Writer, value any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(value)
}
