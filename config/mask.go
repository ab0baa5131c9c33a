package config

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// secretWords are words in an argument's name by which its literal is not shown although no schema says that it is
// secret.
var secretWords = []string{"password", "passphrase", "secret", "token", "credential", "private_key"}

// masked returns the files with every literal of a secret argument written as asterisks, byte for byte, so that places
// in them stay the same. Nobody reads anything else of a configuration to a person.
//
// It goes by words, not by blocks: a file that does not parse is shown, too.
func (s Sources) masked(types map[string]entry) Sources {
	names := map[string]bool{}
	for _, e := range types {
		secretNames(e.Schema, names)
	}
	out := Sources{}
	for name, file := range s {
		copied := *file
		copied.Bytes = maskLiterals(file.Bytes, name, names)
		out[name] = &copied
	}
	return out
}

// secretNames collects the names of the arguments that a schema calls secret.
func secretNames(s Schema, names map[string]bool) {
	for _, a := range s.Attributes {
		if a.Sensitive {
			names[a.Name] = true
		}
	}
	for _, b := range s.Blocks {
		secretNames(b.Schema, names)
	}
}

// maskLiterals returns a copy of a source without the literals of the arguments with these names, and of the defaults
// of variables that are sensitive.
func maskLiterals(src []byte, name string, names map[string]bool) []byte {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	out := bytes.Clone(src)
	for _, block := range topLevel(tokens) {
		variable := len(block) > 0 && string(block[0].Bytes) == "variable" &&
			slices.ContainsFunc(block, func(t hclsyntax.Token) bool { return t.Type == hclsyntax.TokenIdent && string(t.Bytes) == "sensitive" })
		for i := 0; i+1 < len(block); i++ {
			word := strings.ToLower(strings.Trim(string(block[i].Bytes), `"`))
			if block[i].Type != hclsyntax.TokenIdent && block[i].Type != hclsyntax.TokenQuotedLit {
				continue
			}
			after := i + 1
			if block[after].Type == hclsyntax.TokenCQuote { // a key in quotes
				after++
			}
			if after >= len(block) || block[after].Type != hclsyntax.TokenEqual && block[after].Type != hclsyntax.TokenColon {
				continue
			}
			if names[word] || variable && word == "default" || slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(word, w) }) {
				i = maskValue(out, block, after+1) - 1
			}
		}
	}
	return out
}

// maskValue masks the literals of the value that begins at a token, and returns the first token after it: a value ends
// with its line, outside of brackets.
func maskValue(out []byte, tokens hclsyntax.Tokens, at int) int {
	depth := 0
	for ; at < len(tokens); at++ {
		t := tokens[at]
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCHeredoc:
			depth--
			if depth < 0 {
				return at
			}
		case hclsyntax.TokenNewline, hclsyntax.TokenComma, hclsyntax.TokenComment:
			if depth <= 0 && (t.Type != hclsyntax.TokenComment || endsLine(t)) {
				return at
			}
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit, hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8:
			for i := t.Range.Start.Byte; i < t.Range.End.Byte && i < len(out); i++ {
				if out[i] != '\n' && out[i] != '\r' {
					out[i] = '*'
				}
			}
		}
	}
	return at
}

// endsLine reports whether a comment takes the end of its line with it.
func endsLine(t hclsyntax.Token) bool { return bytes.HasSuffix(t.Bytes, []byte("\n")) }

// topLevel splits the tokens of a file at the ends of lines outside of brackets.
func topLevel(tokens hclsyntax.Tokens) []hclsyntax.Tokens {
	var out []hclsyntax.Tokens
	depth, from := 0, 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace:
			depth++
		case hclsyntax.TokenCBrace:
			depth--
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			if depth <= 0 && (t.Type == hclsyntax.TokenNewline || endsLine(t)) {
				out = append(out, tokens[from:i+1])
				from, depth = i+1, 0
			}
		}
	}
	return append(out, tokens[from:])
}
