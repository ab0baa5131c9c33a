package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/zclconf/go-cty/cty"
)

// sensitiveMark marks values that must not be shown. It travels through expressions with the value.
type sensitiveMark struct{}

const secretText = "(sensitive)"

// errSecretText is what every attempt to write a secret down returns.
var errSecretText = errors.New("a sensitive value has no text form")

// Secret is a string that must never be shown or stored. It is the only way out of a sensitive value: Reveal hands the
// string to the code that uses it. Printing it in any way prints "(sensitive)"; encoding it as JSON or text is an
// error.
type Secret struct {
	value string
}

// NewSecret wraps a string that came from elsewhere than the configuration.
func NewSecret(s string) Secret { return Secret{value: s} }

// Reveal returns the string. The caller must not put it into an error, a log, a plan or an argument list.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.value == "" }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, secretText) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(secretText) }

// MarshalJSON always fails.
func (s Secret) MarshalJSON() ([]byte, error) { return nil, errSecretText }

// MarshalText always fails.
func (s Secret) MarshalText() ([]byte, error) { return nil, errSecretText }

// UnmarshalJSON always fails: a secret is read from the configuration only.
func (s *Secret) UnmarshalJSON([]byte) error { return errSecretText }

// secretOf unmarks a string value. It is the only function that unmarks a value in order to hand it out.
func secretOf(v cty.Value) Secret {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() {
		return Secret{}
	}
	return Secret{value: v.AsString()}
}

// isSensitive reports whether any part of a value is marked.
func isSensitive(v cty.Value) bool { return v.ContainsMarked() }
