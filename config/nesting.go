package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// What a file may be made of. HCL's parser is recursive, and some of its work grows with the square of what it
// reads: a file of brackets alone would end the process, which cannot be caught, and a long chain would keep it
// busy.
const (
	// deepestNesting bounds brackets, signs, conditionals and directives of templates within one another.
	deepestNesting = 1000
	// longestChain bounds the operators, indices and attributes that follow one another in an expression.
	longestChain = 1000
	// longestTexts bounds, summed over the pieces of texts, how many pieces of the same text stand before each: one
	// text of 20,000 pieces, or a hundred of 2,000. HCL begins a piece with each line, and with each $ and % in
	// one.
	longestTexts = 20000 * 20000 / 2
)

// excess is what a file has too much of, and where.
type excess struct {
	at              hcl.Range
	summary, detail string
}

// in names the place of an excess that has no range of a file.
func (e excess) in(where string) *hcl.Diagnostic {
	return problem(e.summary, fmt.Sprintf("%s That is in %s.", e.detail, where))
}

// tooMuch returns the first thing in a file that the parser had better not read, or false.
func tooMuch(src []byte, name string) (excess, bool) {
	if !mayBeTooMuch(src) {
		return excess{}, false
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos) // its errors come again from the parser
	var s structure
	for i, token := range tokens {
		var next hclsyntax.Token
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		if found, over := s.take(token, next); over {
			return found, true
		}
	}
	return excess{}, false
}

// structure counts what is open at a place of a file.
type structure struct {
	// open are the levels, the outermost first.
	open []level
	// fresh: the last bracket was a brace, and only what follows says whether newlines count in it.
	fresh                    bool
	signs, directives, texts int
}

// level is what is inside of one bracket, or outside of all.
type level struct {
	opened hclsyntax.TokenType
	// The conditionals, and the operators and indices, of the expression that stands there; the pieces of a text.
	conditionals, chain, pieces int
}

// loop is a level of braces in which newlines mean nothing: HCL reads `{ for` so.
const loop = hclsyntax.TokenOParen

// operators are the tokens that continue an expression at its end.
var operators = []hclsyntax.TokenType{
	hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
	hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan,
	hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenDot,
}

// take counts one token, and returns what is too much with it.
func (s *structure) take(token, next hclsyntax.Token) (excess, bool) {
	if len(s.open) == 0 {
		s.open = []level{{opened: hclsyntax.TokenOBrace}} // the file itself reads newlines as a block does
	}
	blank := token.Type == hclsyntax.TokenNewline || token.Type == hclsyntax.TokenComment
	if s.fresh && !blank {
		if s.fresh = false; token.Type == hclsyntax.TokenIdent && string(token.Bytes) == "for" {
			s.open[len(s.open)-1].opened = loop
		}
	}
	here := &s.open[len(s.open)-1]
	switch token.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
		hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		s.enter(token.Type, next)
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
		hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
		if len(s.open) > 1 {
			s.open = s.open[:len(s.open)-1]
		}
	case hclsyntax.TokenQuestion:
		here.conditionals++
	case hclsyntax.TokenComma, hclsyntax.TokenEqual:
		here.conditionals, here.chain = 0, 0
	case hclsyntax.TokenNewline:
		if here.opened == hclsyntax.TokenOBrace {
			here.conditionals, here.chain = 0, 0
		}
	case hclsyntax.TokenStringLit, hclsyntax.TokenQuotedLit:
		here.pieces++
		s.texts += here.pieces
	case hclsyntax.TokenNumberLit:
		if len(token.Bytes) > longestNumber {
			return excess{token.Range, "Number too long", fmt.Sprintf("A number has at most %d digits.", longestNumber)}, true
		}
	}
	if slices.Contains(operators, token.Type) {
		here.chain++
	}
	switch {
	case token.Type == hclsyntax.TokenMinus, token.Type == hclsyntax.TokenBang:
		s.signs++
	case !blank:
		s.signs = 0
	}
	return s.over(token.Range)
}

// over returns what is too much at a place.
func (s *structure) over(at hcl.Range) (excess, bool) {
	here := s.open[len(s.open)-1]
	switch {
	case max(len(s.open)-1, s.signs, here.conditionals, s.directives) > deepestNesting:
		return excess{at, "Nested too deeply", fmt.Sprintf("Brackets nest more than %d deep here.", deepestNesting)}, true
	case here.chain > longestChain:
		why := fmt.Sprintf("More than %d operators or indices follow one another here.", longestChain)
		return excess{at, "Expression too long", why + " Divide the expression into locals."}, true
	case s.texts > longestTexts:
		const why = "This file holds too much text. Put a long text into a file of its own, and read that file with file()."
		return excess{at, "Text too long", why}, true
	}
	return excess{}, false
}

// enter opens a level. An index belongs to the chain around it. Of the directives of a template only endif and
// endfor close one.
func (s *structure) enter(opens hclsyntax.TokenType, next hclsyntax.Token) {
	switch opens {
	case hclsyntax.TokenOBrack:
		s.open[len(s.open)-1].chain++
	case hclsyntax.TokenOBrace:
		s.fresh = true
	case hclsyntax.TokenTemplateControl:
		switch string(next.Bytes) {
		case "if", "for":
			s.directives++
		case "endif", "endfor":
			s.directives = max(s.directives-1, 0)
		}
	}
	s.open = append(s.open, level{opened: opens})
}

// harmless is how many openings, operators and lines a file may have in all before its structure is looked at: with
// fewer nothing above can be too much.
const harmless = deepestNesting

// mayBeTooMuch is a quick look that is true for every file that tooMuch refuses.
func mayBeTooMuch(src []byte) bool {
	openings, digits := 0, 0
	for _, c := range src {
		switch c {
		case '{', '[', '(', '-', '!', '?', '+', '*', '/', '%', '&', '|', '=', '<', '>', '.':
			openings++
		}
		if c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-' {
			digits++
		} else {
			digits = 0
		}
		if openings > harmless || digits > longestNumber {
			return true
		}
	}
	return len(src) > 20000 // a heredoc may be of lines alone
}
