// Package runbook writes a runbook as Markdown: the commands by which a person does what a plan would do.
//
// It decides nothing and reads nothing. Whatever is in a plan, the command blocks are its commands and nothing else.
package runbook

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
)

// Markdown writes a runbook as Markdown. Each block whose fence says exactly "sh" is one command, for a POSIX shell
// where the operator is, and fails when the work must stop; run in order they are all of the work. Blocks that say
// "sh undo" are run only to go back.
func Markdown(w io.Writer, r report.RunbookJSON) error {
	b := &book{}
	b.head(r)
	b.rules(r)
	for i, s := range r.Steps {
		b.step(r, i, s)
	}
	b.afterwards(r)
	_, err := io.WriteString(w, b.String())
	return err
}

// Blocks returns the commands of a runbook that Markdown wrote, in their order.
func Blocks(markdown string) []string {
	var out []string
	var block strings.Builder
	fence, taken := "", false
	for line := range strings.Lines(markdown) {
		text := strings.TrimSuffix(line, "\n")
		switch ticks := leadingTicks(text); {
		case fence == "" && ticks >= 3:
			fence, taken = text[:ticks], text[ticks:] == "sh"
		case fence != "" && text == fence:
			if taken {
				out = append(out, block.String())
				block.Reset()
			}
			fence = ""
		case fence != "" && taken:
			block.WriteString(line)
		}
	}
	return out
}

func leadingTicks(s string) int { return len(s) - len(strings.TrimLeft(s, "`")) }

// book is Markdown in the making.
type book struct{ strings.Builder }

func (b *book) line(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

// item writes one item of a list; nothing where there is nothing to say.
func (b *book) item(name, text string) {
	if text != "" {
		b.line("- %s: %s", name, words(text))
	}
}

func (b *book) head(r report.RunbookJSON) {
	b.line("# Runbook: %s by hand", text.Plural(len(r.Steps), "step"))
	b.line("")
	if r.Unverified != "" {
		b.line("**NOT VERIFIED:** %s. The commands below connect to where the plan file says.", words(r.Unverified))
		b.line("Compare every host and every command with your own configuration before you run a command.")
		b.line("")
	}
	b.line("For the night when upkeep itself cannot run. It does what the plan below would have done, with ssh here and, on the")
	b.line("nodes, kubeadm, kubectl and etcdctl (where etcdctl is missing: the one inside the etcd pod), and what every Linux node")
	b.line("has: sh, coreutils, tar, sed, awk, ps and openssl. The runbook contains no secret.")
	b.line("")
	b.item("Plan", r.PlanID)
	b.item("Digest", r.Digest)
	b.item("Made", r.Timestamp.UTC().Format("2006-01-02 15:04:05 MST")+by(r.Version))
	seen := r.ObservedAt.UTC().Format("2006-01-02 15:04:05 MST")
	if r.Recorded {
		seen += ", from recorded facts"
	}
	b.item("Observed", seen)
	b.item("Cluster CA (SHA-256)", r.Identity.Authority)
	b.item("Namespace kube-system (uid)", r.Identity.KubeSystemUID)
	b.item("etcd cluster", r.Identity.EtcdClusterID)
	for _, n := range r.Nodes {
		text := n.Host
		if n.Primary {
			text += ", the primary"
		}
		if n.Note != "" {
			text += "; " + n.Note
		}
		b.item("Node "+words(n.Name), text)
	}
	b.line("")
	for _, refusal := range r.Refusals {
		b.line("**upkeep refused this plan:** %s", words(refusal))
		b.line("")
	}
	if r.Outage != "" {
		b.line("**%s**", words(r.Outage))
		b.line("")
	}
	for _, warning := range r.Warnings {
		b.line("**Beware:** %s", words(warning))
		b.line("")
	}
	for _, u := range r.Unknown {
		b.line("**UNKNOWN:** %s: %s. No step here is about what could not be checked.", words(text.Place(u)), words(u.Why))
		b.line("")
	}
}

func by(version string) string {
	if version == "" {
		return ""
	}
	return " by upkeep " + version
}

func (b *book) rules(r report.RunbookJSON) {
	if len(r.Steps) == 0 {
		switch r.Status {
		case report.Well:
			b.line("Nothing is due.")
		case report.Unsure:
			b.line("There is no step. That does not mean that nothing is due: not everything could be checked.")
		default:
			b.line("There is no step. upkeep knows no way to repair what is wrong: `upkeep drift` lists that.")
		}
		return
	}
	b.line("## Rules")
	b.line("")
	b.line("1. One person works, without upkeep. Nobody else renews, restarts or upgrades anything, and no `upkeep apply` runs.")
	b.line("2. The steps in this order, each block in its order. Every block may be copied as it stands; it stops at its first error,")
	b.line("   and a block that could not be sent completely does nothing.")
	if nodes := serialNodes(r.Steps); len(nodes) > 1 {
		b.line("3. One control plane at a time, the primary first: %s. The next one only when the last block of the one before", strings.Join(nodes, ", then "))
		b.line("   has shown what it must show.")
	} else {
		b.line("3. One node at a time. Start the next node only when the last block of the previous node has shown what it must show.")
	}
	for _, lane := range r.Lanes {
		if said := room(lane); said != "" {
			b.line("   %s", said)
		}
	}
	b.line("4. Stop, and start no other node, when a block ends with an error or when you see something under *Stop*. Also stop when")
	b.line("   a node or an etcd member is lost, or when a node belongs to another cluster. Steps that are done stay")
	b.line("   good: between two steps is a safe place to stop. To go back, run the blocks under *Undo* of that step, last first.")
	b.line("5. It was made for the world as it was observed. A block that finds another one stops; then make a new runbook, or think.")
	b.line("")
}

// room says how many nodes of a lane may be under way, where that is not said of the control planes already, and which
// nodes take places of the lane although no step here is about them.
func room(lane planner.LaneNodes) string {
	taken, _ := text.Room(lane, true)
	if lane.Width == 1 {
		return words(taken)
	}
	return strings.TrimSpace(fmt.Sprintf("At most %s of the lane %s at a time. %s", text.Plural(lane.Width, "node"), words(lane.Name), words(taken)))
}

// serialNodes returns the nodes of the steps of which only one node may be under way at a time, in order.
func serialNodes(steps []report.RunbookStep) []string {
	var out []string
	for _, s := range steps {
		if report.Narrow(s.Step) != "" && !slices.Contains(out, words(s.Node)) {
			out = append(out, words(s.Node))
		}
	}
	return out
}

func (b *book) step(r report.RunbookJSON, i int, s report.RunbookStep) {
	b.line("## Step %d of %d: %s: %s", i+1, len(r.Steps), words(s.Address.String()), words(s.Summary))
	b.line("")
	b.item("Why", strings.Join(s.Why, "; "))
	b.item("Disrupts", s.Disruption)
	var only []string
	for _, need := range s.Guards {
		switch {
		case need.Waived != "":
			b.item("Without "+need.Name, need.Waived)
		case !need.Optional:
			only = append(only, need.Name)
		}
	}
	b.item("Only after", strings.Join(only, ", "))
	if s.Window != "" && s.Window != "always" {
		b.item("Only in", s.Window)
	}
	b.item("Done when", s.Proof)
	b.line("")
	if len(s.Commands) == 0 {
		b.line("**Nobody can do this step by hand: stop here.**")
		b.line("")
	}
	for j, c := range s.Commands {
		where := c.Node
		if where == "" {
			where = "here"
		}
		b.line("### %d.%d %s: %s", i+1, j+1, words(where), words(c.What))
		b.line("")
		b.fenced("sh", script(r, c.Node, c.Run))
		b.item("See", c.See)
		b.item("Stop", c.Stop)
		if c.Undo != "" {
			b.line("- Undo:")
			b.line("")
			b.fenced("sh undo", script(r, c.Node, c.Undo))
			continue
		}
		b.line("")
	}
}

func (b *book) afterwards(r report.RunbookJSON) {
	if len(r.Steps) == 0 {
		return
	}
	b.line("## Afterwards")
	b.line("")
	b.line("Work done by hand is simply observed: the next `upkeep plan` shows what is left. After all steps it is expected to find")
	if n := report.Known(r.Remaining); n == 0 && r.Status == report.Unsure {
		b.line("nothing where it could look before. What is UNKNOWN above is still to be checked.")
	} else if n == 0 {
		b.line("nothing.")
	} else {
		b.line("%s, which no step here repairs:", text.Plural(n, "thing"))
		b.line("")
		for _, f := range r.Remaining {
			if !f.Unknown && f.Severity != providers.SeverityNote {
				b.line("- %s %s %s: %s", words(f.ID), words(f.Address.String()), words(f.Object), words(f.Summary))
			}
		}
	}
}

// fenced writes a code block whose fence is longer than any in it.
func (b *book) fenced(info, text string) {
	fence := "```"
	for line := range strings.Lines(text) {
		if n := leadingTicks(line); n >= len(fence) {
			fence = strings.Repeat("`", n+1)
		}
	}
	b.line("%s%s\n%s%s\n", fence, info, text, fence)
}

// script wraps commands for a shell where the operator is. The braces make the shell on the node read all of it before
// it does any of it, so that a connection lost halfway does nothing, and no command can read the rest of the script as
// its input.
func script(r report.RunbookJSON, node, run string) string {
	shell := "sh -s"
	for _, n := range r.Nodes {
		if n.Name == node {
			shell = n.Shell
		}
	}
	body := shown(strings.TrimRight(run, "\n")) + "\n"
	if node == "" && r.Kubeconfig != "" {
		body = "export KUBECONFIG=" + quoted(r.Kubeconfig) + "\n" + body
	}
	body = "{\nset -eu\n" + body + "} </dev/null\n"
	end := "EOF"
	for strings.Contains("\n"+body, "\n"+end+"\n") {
		end += "_"
	}
	return shown(shell) + " <<'" + end + "'\n" + body + end + "\n"
}

// quoted makes one word of a POSIX shell of a text.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// shown replaces what a terminal would applyOrders and a person would not see, and leaves lines and tabs.
func shown(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || unicode.IsPrint(c) && c != utf8.RuneError {
			return c
		}
		return '?'
	}, s)
}

// words makes a line of prose of a text that may have come from anywhere.
func words(s string) string { return strings.ReplaceAll(text.Clean(s), "<", "&lt;") }
