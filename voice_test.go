package upkeep

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// plain are the words and turns that nobody should need a dictionary for, with what to write instead: the rules of the voice
// (docs/glossary.md) as far as a program can see them. Add what a reader stumbles over.
var plain = []struct {
	name, instead string
	pattern       *regexp.Regexp
}{
	{"is to be", "say who does what, or write old -> new", regexp.MustCompile(`(?i)\b(is|are|was|were) (not )?to be\b`)},
	{"is not to be had", "cannot be read, could not lock", regexp.MustCompile(`(?i)\bto be had\b`)},
	{"goes without", "has no", regexp.MustCompile(`(?i)\b(go|goes|went) without\b`)},
	{"of before", "current, previous, old", regexp.MustCompile(`(?i)\bof before\b`)},
	{"as it is", "unchanged", regexp.MustCompile(`(?i)\bas (is|it is|they are)\b`)},
	{"whole", "complete, intact, healthy, integer", regexp.MustCompile(`(?i)\bwholes?\b`)},
	{"surely", "leave it out", regexp.MustCompile(`(?i)\bsurely\b`)},
	{"takes no part", "is not serving", regexp.MustCompile(`(?i)\b(take|takes|took) no part\b`)},
	{"lets", "allows", regexp.MustCompile(`\blets\b`)},
	{"mend", "repair", regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`)},
	{"reckon", "calculate", regexp.MustCompile(`(?i)\breckon`)},
	{"carry out", "run, apply", regexp.MustCompile(`(?i)\bcarr(y|ies|ied|ying) out\b`)},
	{"see to", "do, check", regexp.MustCompile(`(?i)\bsee(s|n)? to (it|that|the|what)\b`)},
	{"anew", "again", regexp.MustCompile(`(?i)\banew\b`)},
	{"any more", "no longer", regexp.MustCompile(`(?i)\bnot [^.;:]*\bany more\b`)},
	{"stands in", "is in", regexp.MustCompile(`(?i)\bstands? (in|there|still|beside)\b`)},
	{"lies in", "is in, is next to", regexp.MustCompile(`(?i)\blies? (in|beside|there)\b`)},
	{"gone for good", "lost", regexp.MustCompile(`(?i)\bgone for good\b`)},
	{"under way", "in progress", regexp.MustCompile(`(?i)\bunder way\b`)},
	{"at work", "works, is running", regexp.MustCompile(`(?i)\bat work\b`)},
	{"beside", "next to, with, in addition to", regexp.MustCompile(`(?i)\bbeside\b`)},
	{"whoever", "the user who", regexp.MustCompile(`(?i)\bwhoever\b`)},
	{"disturb", "disrupt", regexp.MustCompile(`(?i)\bdisturb`)},
	{"meanwhile", "until then, during the step", regexp.MustCompile(`(?i)\bmeanwhile\b`)},
	{"in vain", "without an answer", regexp.MustCompile(`(?i)\bin vain\b`)},
	{"once more", "again", regexp.MustCompile(`(?i)\bonce more\b`)},
	{"but for", "except", regexp.MustCompile(`(?i)\bbut for\b`)},
	{"upon", "on", regexp.MustCompile(`(?i)\b(upon|hitherto|thereby|thereof|lest|hence)\b`)},
	{"give up", "stop", regexp.MustCompile(`(?i)\bails\b`)},
	{"inverted", "subject, verb, object", regexp.MustCompile(`(?i)^(begun|proved|given|asked|made|done) at \d\d`)},
}

// spoken are the places that have more words of one kind than none. Each needs a reason.
var spoken = []struct{ file, word, reason string }{
	{"CHANGELOG.md", "", "what was written of earlier changes is history"},
	{"docs/reference/functions.md", "whole", "HCL's own text of floor and ceil"},
	{"docs/reference/functions.md", sentence, "HCL's own text of its functions"},
}

// said is one text that can reach a person, and where it is written.
type said struct{ file, where, text string }

// TestPlainWords reads every text literal of the program, every comment of an exported declaration, every page and the README, and fails on words that are not plain.
func TestPlainWords(t *testing.T) {
	for _, s := range append(append(literals(t), pages(t)...), comments(t)...) {
		for _, p := range plain {
			if found := p.pattern.FindString(s.text); found != "" && !excused(s.file, p.name) {
				t.Errorf("%s: %q in %.200q; write: %s", s.where, found, s.text, p.instead)
			}
		}
	}
}

// TestPlainWordsAreRecognised: each pattern finds the turn that it is named after, so none of them is dead.
func TestPlainWordsAreRecognised(t *testing.T) {
	examples := map[string]string{"in vain": "asked in vain", "give up": "what ails it", "inverted": "begun at 09:44 it ends", "any more": "is not there any more", "see to": "see to it"}
	for _, p := range plain {
		text := p.name
		if example, ok := examples[p.name]; ok {
			text = example
		}
		if !p.pattern.MatchString(text) {
			t.Errorf("the pattern of %q does not find %q", p.name, text)
		}
	}
}

func excused(file, word string) bool {
	for _, s := range spoken {
		if s.file == file && (s.word == "" || s.word == word) {
			return true
		}
	}
	return false
}

// tracked lists the files of the repository with an ending, by Git's knowledge or, in a source archive, by walking.
func tracked(t *testing.T, ending string) (files []string) {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*"+ending).Output()
	if err != nil {
		t.Skipf("no Git here: %v", err)
	}
	for _, f := range strings.Fields(string(out)) {
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	return files
}

// literals are the texts of the program's own Go files: literals with a blank in them, those of one expression joined, so that
// no turn hides across a plus sign. Tests, fixtures and the lab speak to nobody.
func literals(t *testing.T) (out []said) {
	t.Helper()
	for _, file := range tracked(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "fixtures/") || strings.HasPrefix(file, "acceptance/") || strings.HasSuffix(path.Dir(file), "test") {
			continue
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		say := func(at token.Pos, text string) {
			if strings.Contains(strings.TrimSpace(text), " ") {
				out = append(out, said{file, fmt.Sprintf("%s:%d", file, fset.Position(at).Line), text})
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if text, ok := joined(n); ok {
					say(n.Pos(), text)
					return false
				}
			case *ast.BasicLit:
				if text, ok := joined(n); ok {
					say(n.Pos(), text)
				}
			}
			return true
		})
	}
	return out
}

// comments are the comments of packages and of exported declarations of the program's own Go files: `go doc` shows them.
func comments(t *testing.T) (out []said) {
	t.Helper()
	for _, file := range tracked(t, ".go") {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "fixtures/") || strings.HasPrefix(file, "acceptance/") || strings.HasSuffix(path.Dir(file), "test") {
			continue
		}
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		say := func(comment *ast.CommentGroup) {
			if comment != nil {
				out = append(out, said{file, fmt.Sprintf("%s:%d", file, fset.Position(comment.Pos()).Line), strings.Join(strings.Fields(comment.Text()), " ")})
			}
		}
		say(parsed.Doc)
		for _, decl := range parsed.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() {
					say(d.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if exportedSpec(spec) {
						say(d.Doc)
						ast.Inspect(spec, func(n ast.Node) bool {
							switch n := n.(type) {
							case *ast.TypeSpec:
								say(n.Doc)
							case *ast.ValueSpec:
								say(n.Doc)
								say(n.Comment)
							case *ast.Field:
								if len(n.Names) == 0 || n.Names[0].IsExported() {
									say(n.Doc)
									say(n.Comment)
								}
							}
							return true
						})
					}
				}
			}
		}
	}
	return out
}

// exportedSpec reports whether a declaration names something exported.
func exportedSpec(spec ast.Spec) bool {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		return s.Name.IsExported()
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() {
				return true
			}
		}
	}
	return false
}

// joined is the text of an expression of literals and plus signs; an operand that is no literal stands as "…". False: there
// is no literal in it, or an operand that has literals of its own and must be looked into.
func joined(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, first := joined(e.X)
		right, second := joined(e.Y)
		return left + right, e.Op == token.ADD && first && second
	case *ast.Ident, *ast.SelectorExpr:
		return "…", true
	}
	return "", false
}

// pages are the paragraphs of every Markdown file that is ours, without the blocks of code in them.
func pages(t *testing.T) (out []said) {
	t.Helper()
	for _, file := range tracked(t, ".md") {
		if strings.Contains(file, "testdata/") || strings.HasPrefix(file, "acceptance/") || strings.HasPrefix(file, "fixtures/") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code, paragraph, at := false, "", 0
		end := func() {
			if paragraph != "" {
				out = append(out, said{file, fmt.Sprintf("%s:%d", file, at), paragraph})
			}
			paragraph = ""
		}
		for i, line := range strings.Split(string(data), "\n") {
			switch {
			case strings.HasPrefix(strings.TrimSpace(line), "```"):
				end()
				code = !code
			case code:
			case strings.HasPrefix(line, "    ") && paragraph == "": // a block of code
			case strings.TrimSpace(line) == "":
				end()
			default:
				if paragraph == "" {
					at = i + 1
				}
				paragraph += strings.TrimSpace(line) + " "
			}
		}
		end()
	}
	return out
}
