package providers

import "strings"

// ShellWord makes one word of a POSIX shell of a text, for the Run of a Command.
func ShellWord(text string) string {
	if text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// ShellScript makes a script of a POSIX shell of lines, for the Run of a Command. It ends at the first line that fails.
func ShellScript(lines ...string) string { return "set -eu\n" + strings.Join(lines, "\n") + "\n" }
