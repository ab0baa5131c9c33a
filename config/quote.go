package config

import (
	"strconv"
	"strings"
)

// Quote writes a text as a quoted template of the language, without any interpolation.
func Quote(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(s))
}
