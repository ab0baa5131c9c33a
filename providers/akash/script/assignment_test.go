package script

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every form in which bash sets a variable is seen. Only the published form is read; each other one is an error.
func TestAssignments(t *testing.T) {
	const cpu = "TARGET_CPU"
	for _, test := range []struct {
		name, text string
		want       []Unread // lines count from 1, of the text
	}{
		{"as published", `TARGET_CPU="1.60"`, nil},
		{"as published, with a comment", `TARGET_CPU="1.60"   # USD`, nil},
		{"from the environment", `TARGET_CPU="${PRICE_TARGET_CPU:-1.60}"`, nil},
		{"no quotation marks", `TARGET_CPU=1.60`, []Unread{{cpu, 1}}},
		{"single quotation marks", `TARGET_CPU='1.60'`, []Unread{{cpu, 1}}},
		{"dollar quotation marks", `TARGET_CPU=$'1.60'`, []Unread{{cpu, 1}}},
		{"empty", `TARGET_CPU=`, []Unread{{cpu, 1}}},
		{"a semicolon behind", `TARGET_CPU="1.60";`, []Unread{{cpu, 1}}},
		{"behind a semicolon", `x=1; TARGET_CPU="1.60"`, []Unread{{cpu, 1}}},
		{"behind &&", `true && TARGET_CPU="1.60"`, []Unread{{cpu, 1}}},
		{"indented", `  TARGET_CPU="1.60"`, []Unread{{cpu, 1}}},
		{"export", `export TARGET_CPU="1.60"`, []Unread{{cpu, 1}}},
		{"declare", `declare -x TARGET_CPU="1.60"`, []Unread{{cpu, 1}}},
		{"typeset", `typeset TARGET_CPU=2`, []Unread{{cpu, 1}}},
		{"readonly", `readonly TARGET_CPU="1.60"`, []Unread{{cpu, 1}}},
		{"local", `local TARGET_CPU=2`, []Unread{{cpu, 1}}},
		{"a default", `: "${TARGET_CPU:=1.60}"`, []Unread{{cpu, 1}}},
		{"a default where it is not set", `: ${TARGET_CPU=1.60}`, []Unread{{cpu, 1}}},
		{"a default of the environment", `: ${PRICE_TARGET_CPU:=1.60}`, []Unread{{"PRICE_" + cpu, 1}}},
		{"more", `TARGET_CPU+=5`, []Unread{{cpu, 1}}},
		{"an item", `TARGET_CPU[0]=5`, []Unread{{cpu, 1}}},
		{"a list", `TARGET_CPU=(5)`, []Unread{{cpu, 1}}},
		{"arithmetic", `(( TARGET_CPU = 5 ))`, []Unread{{cpu, 1}}},
		{"arithmetic, more", `((TARGET_CPU+=5))`, []Unread{{cpu, 1}}},
		{"arithmetic, shifted", `((TARGET_CPU<<=1))`, []Unread{{cpu, 1}}},
		{"one more", `((TARGET_CPU++))`, []Unread{{cpu, 1}}},
		{"one more, before", `((++TARGET_CPU))`, []Unread{{cpu, 1}}},
		{"one less, before", `((--TARGET_CPU))`, []Unread{{cpu, 1}}},
		{"let", `let TARGET_CPU=5`, []Unread{{cpu, 1}}},
		{"let, quoted", `let "TARGET_CPU = 5"`, []Unread{{cpu, 1}}},
		{"printf", `printf -v TARGET_CPU %s 5`, []Unread{{cpu, 1}}},
		{"printf, attached", `printf -vTARGET_CPU %s 5`, []Unread{{cpu, 1}}},
		{"read", `read -r TARGET_CPU <<<"5"`, []Unread{{cpu, 1}}},
		{"read among others", `IFS=, read -r x TARGET_CPU y`, []Unread{{cpu, 1}}},
		{"read, quoted", `read "TARGET_CPU"`, []Unread{{cpu, 1}}},
		{"mapfile", `mapfile -t TARGET_CPU`, []Unread{{cpu, 1}}},
		{"readarray", `readarray TARGET_CPU`, []Unread{{cpu, 1}}},
		{"getopts", `getopts c TARGET_CPU`, []Unread{{cpu, 1}}},
		{"unset", `unset TARGET_CPU`, []Unread{{cpu, 1}}},
		{"unset -v", `unset -v TARGET_CPU`, []Unread{{cpu, 1}}},
		{"a loop", `for TARGET_CPU in 1 2; do :; done`, []Unread{{cpu, 1}}},
		{"a loop of numbers", `for ((TARGET_CPU=1; TARGET_CPU<3; TARGET_CPU++)); do :; done`, []Unread{{cpu, 1}}},
		{"a choice", `select TARGET_CPU in 1 2; do :; done`, []Unread{{cpu, 1}}},
		{"a reference", `declare -n x=TARGET_CPU`, []Unread{{cpu, 1}}},
		{"a local reference", `local -n x=TARGET_CPU`, []Unread{{cpu, 1}}},
		{"the number of a process", `wait -n -p TARGET_CPU`, []Unread{{cpu, 1}}},
		{"eval", `eval "TARGET_CPU=5"`, []Unread{{cpu, 1}}},
		{"eval, quoted in it", `eval TARGET_''CPU=5`, []Unread{{"TARGET_", 1}}},
		{"a name that is made", `declare "TARGET_$x=5"`, []Unread{{"TARGET_", 1}}},
		{"a name that is made, in braces", `declare TARGET_${x}=5`, []Unread{{"TARGET_", 1}}},
		{"for one command", `TARGET_CPU=5 ./other`, []Unread{{cpu, 1}}},
		{"env", `env TARGET_CPU=5 ./other`, []Unread{{cpu, 1}}},
		{"in a here-document", "cat >f <<EOF\nTARGET_CPU=5\nEOF", []Unread{{cpu, 2}}},
		{"as published, in a here-document", "cat >f <<'EOF'\nTARGET_CPU=\"5\"\nEOF", []Unread{{cpu, 2}}},
		{"as published, behind a here-document", "cat >f <<-EOF\n\tx\n\tEOF\nTARGET_CPU=\"5\"", nil},
		{"as published, in a function", "f() {\nTARGET_CPU=\"5\"\n}", []Unread{{cpu, 2}}},
		{"as published, behind a function", "f() {\n:\n}\nTARGET_CPU=\"5\"", nil},
		{"as published, in a condition", "if true; then\nTARGET_CPU=\"5\"\nfi", []Unread{{cpu, 2}}},
		{"as published, in a case", "case x in\nuact)\nTARGET_CPU=\"5\"\n;;\nesac", []Unread{{cpu, 3}}},
		{"as published, behind a command in brackets", "x=$(\ncat\n)\nTARGET_CPU=\"5\"", nil},
		{"as published, in a loop", "while true\ndo\nTARGET_CPU=\"5\"\ndone", []Unread{{cpu, 3}}},
		{"as published, twice", "TARGET_CPU=\"1\"\nTARGET_CPU=\"2\"", []Unread{{cpu, 2}}},
		{"in two lines", "export \\\nTARGET_CPU=5", []Unread{{cpu, 1}}},
		{"a name in two lines", "TARGET_C\\\nPU=5", []Unread{{cpu, 1}}},
		{"read, in two lines", "read -r \\\n  TARGET_CPU", []Unread{{cpu, 1}}},
		{"another target", `export TARGET_GPU_UNIT=450`, []Unread{{"TARGET_GPU_UNIT", 1}}},
		{"a mapping of its own", `PRICE_TARGET_GPU_MAPPINGS="a100=5"`, []Unread{{"PRICE_TARGET_GPU_MAPPINGS", 1}}},

		{"a name that is quoted in parts", `export TARGET_"CPU"=5`, []Unread{{cpu, 1}}},
		{"a name in quotation marks", `export 'TARGET_CPU'=5`, []Unread{{cpu, 1}}},
		{"names in braces", `declare TARGET_{CPU,MEMORY}=5`, []Unread{{"TARGET_", 1}}},
		{"all names", `unset ${!TARGET_@}`, []Unread{{"TARGET_", 1}}},
		{"a name that is made for printf", `printf -v TARGET_$x 5`, []Unread{{"TARGET_", 1}}},
		{"a name in a variable", `n=TARGET_CPU; declare $n=5`, []Unread{{cpu, 1}}},
		{"a reference, later", `declare -n r; r=TARGET_CPU`, []Unread{{cpu, 1}}},
		{"another type", `declare -i TARGET_CPU`, []Unread{{cpu, 1}}},
		{"read only", `readonly TARGET_CPU`, []Unread{{cpu, 1}}},
		{"a file's number", `exec {TARGET_CPU}>/tmp/x`, []Unread{{cpu, 1}}},
		{"a trap", `trap 'TARGET_CPU=5' DEBUG`, []Unread{{cpu, 1}}},
		{"an alias", `alias x='TARGET_CPU=5'`, []Unread{{cpu, 1}}},
		{"a negative number", `TARGET_CPU="-5"`, []Unread{{cpu, 1}}},
		{"a comma in the number", `TARGET_CPU="1,5"`, []Unread{{cpu, 1}}},
		{"a number with a unit", `TARGET_CPU="1.5/h"`, []Unread{{cpu, 1}}},
		{"a name that published scripts lack", `TARGET_MEM="0.80"`, []Unread{{"TARGET_MEM", 1}}},
		{"a letter that only looks alike", "TARGET_C\u0420U=\"5\"", []Unread{{"TARGET_C\u0420U", 1}}},

		{"source", `source ./prices.sh`, []Unread{{AnyTarget, 1}}},
		{"a dot", `set -a; . /etc/prices; set +a`, []Unread{{AnyTarget, 1}}},
		{"a dot and a name", `. prices.sh`, []Unread{{AnyTarget, 1}}},
		{"eval of what a program says", `eval "$(curl x)"`, []Unread{{AnyTarget, 1}}},
		{"export of what a program says", `export $(grep -v '^#' .env | xargs)`, []Unread{{AnyTarget, 1}}},
		{"a name that is not in the script", `printf -v "$n" 5`, []Unread{{AnyTarget, 1}}},
		{"a name that is not in the script, declared", `declare -g "$n=5"`, []Unread{{AnyTarget, 1}}},
		{"a reference that is not in the script", `local -n r=$1`, []Unread{{AnyTarget, 1}}},

		{"as published, in brackets", "(\nTARGET_CPU=\"5\"\n)", []Unread{{cpu, 2}}},
		{"as published, for another command", "x=$(\nTARGET_CPU=\"5\"\n)", []Unread{{cpu, 2}}},
		{"as published, in single quotation marks", "x='\nTARGET_CPU=\"5\"\n'", []Unread{{cpu, 2}}},
		{"as published, behind &&", "true &&\nTARGET_CPU=\"5\"", []Unread{{cpu, 2}}},
		{"as published, in a pipe", "false |\n# all\n\nTARGET_CPU=\"5\"", []Unread{{cpu, 4}}},
		{"as published, behind the end", "exit 0\nTARGET_CPU=\"5\"", []Unread{{cpu, 2}}},
		{"as published, behind a block within its block", "while x\ndo\nif y; then\n:\nfi\nTARGET_CPU=\"5\"\ndone", []Unread{{cpu, 6}}},
		{"as published, in the second here-document", "cat <<A <<'B C'\nA\nTARGET_CPU=\"5\"\nB C", []Unread{{cpu, 3}}},
		{"as published, behind all of these", "x=$(jq '\nif . then {a} # it\u2019s\nelse . end')\nfor x in a; do case $x in (a) : ;; b) : ;; esac; done\n" +
			"f() { [[ $1 =~ \\( ]] || exit 1; }\necho \"<<EOF ${x#\\'} $((1<<2)) it's\"\n(( y = 1<<2 ))\nTARGET_CPU=\"5\"", nil},

		{"a comment", `# TARGET_CPU=5`, nil},
		{"a comment behind a command", `x=1 # see TARGET_CPU`, nil},
		{"exported", `export TARGET_CPU TARGET_MEMORY`, nil},
		{"told", `>&2 echo "TARGET_CPU: $TARGET_CPU"`, nil},
		{"given to jq", `jq --arg TARGET_CPU "$TARGET_CPU" '. | . as $x'`, nil},
		{"in a filter of jq", `echo "$x" | jq 'def ceil: if . | floor == . then . else . + 1.0 | floor end; .|ceil'`, nil},
		{"asked for", `[[ -v TARGET_CPU ]] || exit 1`, nil},
		{"calculated with", `x=$((2 * TARGET_GPU_UNIT))`, nil},
		{"used", `bc <<<"$TARGET_CPU * 2"`, nil},
		{"used, with a default", `echo "${TARGET_CPU:-5}"`, nil},
		{"compared", `[ "$TARGET_CPU" = 5 ]`, nil},
		{"compared in arithmetic", `(( TARGET_CPU == 5 ))`, nil},
		{"another variable", `MY_TARGET_CPU=5`, nil},
		{"a length", `echo ${#TARGET_CPU}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, unread([]byte(test.text))); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.text, diff)
			}
			if len(test.want) == 0 {
				return
			}
			r := Recognise([]byte("#!/bin/bash\ngpu_mappings=1\n" + strings.TrimSpace(test.text) + "\n"))
			if len(r.Unread) == 0 && !strings.HasPrefix(test.text, " ") {
				t.Error("the script has no unread target")
			}
		})
	}
}
