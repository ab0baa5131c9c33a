package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// deepestNesting bounds brackets, signs and conditionals within one another. The parser is recursive: a file of
// brackets alone would end the process, which cannot be caught.
const deepestNesting = 1000

// tooDeep returns where a file nests too deeply, or false.
func tooDeep(src []byte, name string) (hcl.Range, bool) {
	if !mayBeTooDeep(src) {
		return hcl.Range{}, false
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos) // its errors come again from the parser
	var open []hclsyntax.TokenType
	signs, conditionals := 0, 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			open = append(open, token.Type)
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case hclsyntax.TokenQuestion:
			conditionals++
		case hclsyntax.TokenComma, hclsyntax.TokenEqual:
			conditionals = 0
		case hclsyntax.TokenNewline:
			if len(open) == 0 || open[len(open)-1] != hclsyntax.TokenOParen {
				conditionals = 0
			}
		}
		if token.Type == hclsyntax.TokenMinus || token.Type == hclsyntax.TokenBang {
			signs++
		} else if token.Type != hclsyntax.TokenNewline && token.Type != hclsyntax.TokenComment {
			signs = 0
		}
		if max(len(open), signs, conditionals) > deepestNesting {
			return token.Range, true
		}
	}
	return hcl.Range{}, false
}

// harmless is how many openings a file may have in all before its nesting is looked at: no file with fewer can exhaust
// the stack (100,000 brackets within one another do; Go's limit is 1 GB), and nearly every file has fewer.
const harmless = 20000

// mayBeTooDeep is a quick look that is true for every file that nests dangerously.
func mayBeTooDeep(src []byte) bool {
	openings := 0
	for _, c := range src {
		switch c {
		case '{', '[', '(', '-', '!', '?':
			openings++
		}
	}
	return openings > harmless
}
