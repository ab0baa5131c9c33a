package script

import "strings"

// place is where the next line of a script stands, as far as a reader tells who knows bash's quotation marks, blocks
// and here-documents, and nothing of what a command does.
type place struct {
	// open are the words that end what is open, the innermost last: a quotation mark, a bracket, fi, done or esac.
	open []string
	// documents are the words that end the here-documents, the next one first.
	documents []string
	// joined: the command before goes on, since it ended with && or a pipe.
	joined bool
	// over: the script has ended.
	over bool
}

// top says whether a command that begins here is run once, and always.
func (p *place) top() bool { return len(p.open) == 0 && len(p.documents) == 0 && !p.joined && !p.over }

// quoting says whether the line is within quotation marks.
func (p *place) quoting() bool { return p.innermost() == "'" || p.innermost() == `"` }

// inDocument takes a line of a here-document; false where the line is none.
func (p *place) inDocument(line string) bool {
	if len(p.documents) == 0 {
		return false
	}
	if strings.TrimLeft(line, "\t") == p.documents[0] {
		p.documents = p.documents[1:]
	}
	return true
}

func (p *place) innermost() string {
	if len(p.open) == 0 {
		return ""
	}
	return p.open[len(p.open)-1]
}

func (p *place) push(end string) { p.open = append(p.open, end) }

func (p *place) pop() { p.open = p.open[:len(p.open)-1] }

// blocks are the words that begin a block, and the words that end it.
var blocks = map[string]string{
	"if": "fi", "while": "done", "until": "done", "for": "done", "select": "done", "case": "esac", "{": "}",
}

// goOn are the words behind which a command begins.
var goOn = map[string]bool{
	"then": true, "else": true, "elif": true, "do": true, "!": true, "time": true, "function": true,
}

// read takes a command: a line, with those that continue it.
func (p *place) read(line string) {
	var documents []string
	begins := true   // a command begins here
	first := p.top() // the first word ends the script if it is exit
	for i := 0; i < len(line); {
		switch end := p.innermost(); end {
		case "'":
			i += p.quoted(line[i:])
			continue
		case `"`, "${", "$'":
			i += p.expanded(line[i:], end)
			continue
		}
		c := line[i]
		switch {
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '#' && (i == 0 || strings.IndexByte(" \t;&|()", line[i-1]) >= 0):
			i = len(line)
			continue
		case strings.HasPrefix(line[i:], "<<<"):
			i += len("<<<")
		case strings.HasPrefix(line[i:], "<<") && p.innermost() != "))":
			word, n := documentWord(line[i:])
			if documents = append(documents, word); word == "" {
				documents = documents[:len(documents)-1]
			}
			i += n
		case strings.HasPrefix(line[i:], "&&"), strings.HasPrefix(line[i:], "||"):
			p.joined, begins, first = true, true, false
			i += len("&&")
			continue
		case c == '|':
			p.joined, begins, first = true, true, false
			i++
			continue
		case c == ';' || c == '&':
			begins = true
			i++
		case c == '(' || c == ')':
			i += p.bracket(line[i:])
			begins = true
		default:
			word := p.word(line[i:])
			switch {
			case word == "":
				i += p.opens(line[i:])
				begins = false
			case begins && p.innermost() == word && blockEnds[word]:
				p.pop()
				i += len(word)
			case begins && blocks[word] != "":
				p.push(blocks[word])
				begins = word == "{" || blocks[word] == "fi" || word == "while" || word == "until"
				i += len(word)
			default:
				p.over = p.over || first && (word == "exit" || word == "return")
				begins = begins && goOn[word]
				i += len(word)
				if word == "function" { // its name, then its block
					name := strings.TrimLeft(line[i:], " \t")
					i = len(line) - len(name) + len(p.word(name))
				}
			}
		}
		p.joined, first = false, false
	}
	p.documents = append(p.documents, documents...)
}

// blockEnds are the words that end a block.
var blockEnds = map[string]bool{"fi": true, "done": true, "esac": true, "}": true}

// word is the bare word that a text begins with; empty where the text begins with a quotation mark or an expansion.
func (p *place) word(text string) string {
	end := strings.IndexAny(text, " \t;&|()<>\"'`$\\")
	if end < 0 {
		return text
	}
	if end == 0 && (text[0] == '<' || text[0] == '>') {
		return text[:1]
	}
	return text[:end]
}

// quoted reads to the end of a text in single quotation marks.
func (p *place) quoted(text string) int {
	i := strings.IndexByte(text, '\'')
	if i < 0 {
		return len(text)
	}
	p.pop()
	return i + 1
}

// expanded reads a step of a text in which bash expands variables.
func (p *place) expanded(text, end string) int {
	closing := end[len(end)-1]
	if end == "${" {
		closing = '}'
	}
	switch {
	case text[0] == closing:
		p.pop()
		return 1
	case text[0] == '"' && end == "${":
		p.push(`"`)
		return 1
	case end == "$'" && text[0] != '\\':
		return 1
	}
	return p.opens(text)
}

// opens reads a character, or what opens a quotation or an expansion.
func (p *place) opens(text string) int {
	outside := p.innermost() != `"` && p.innermost() != "${" && p.innermost() != "$'"
	for _, start := range []struct{ text, end string }{{"$((", "))"}, {"$(", ")"}, {"${", "${"}} {
		if strings.HasPrefix(text, start.text) {
			p.push(start.end)
			return len(start.text)
		}
	}
	switch {
	case text[0] == '\\':
		return min(2, len(text))
	case !outside:
		return 1
	case strings.HasPrefix(text, "$'"):
		p.push("$'")
		return 2
	case text[0] == '\'' || text[0] == '"':
		p.push(text[:1])
	}
	return 1
}

// bracket reads a round bracket. One that closes nothing ends a pattern of case.
func (p *place) bracket(text string) int {
	switch {
	case strings.HasPrefix(text, "(("):
		p.push("))")
		return 2
	case text[0] == '(':
		p.push(")")
	case p.innermost() == "))":
		if p.pop(); strings.HasPrefix(text, "))") {
			return 2
		}
		p.push(")") // two brackets, not arithmetic: the other one is still open
	case p.innermost() == ")":
		p.pop()
	}
	return 1
}

// documentWord reads the beginning of a here-document: the word that ends it, and how much of the text says so.
func documentWord(text string) (word string, n int) {
	rest := strings.TrimLeft(strings.TrimPrefix(text[len("<<"):], "-"), " \t")
	begin := len(text) - len(rest)
	if rest == "" {
		return "", begin
	}
	if q := rest[0]; q == '\'' || q == '"' {
		if end := strings.IndexByte(rest[1:], q); end >= 0 {
			return rest[1 : 1+end], begin + end + 2
		}
	}
	end := strings.IndexAny(rest, " \t;&|()<>")
	if end < 0 {
		end = len(rest)
	}
	return strings.NewReplacer(`\`, "", `"`, "", "'", "").Replace(rest[:end]), begin + end
}
