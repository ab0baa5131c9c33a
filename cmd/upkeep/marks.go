package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/plain"
	"upkeep/state"
)

// marksCommand lists what upkeep has left on nodes, and undoes it. It needs no state: a mark says itself how it is undone.
func marksCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "undo", Usage: "undo the marks that are named, or all of them"},
		lockTimeoutFlag(), jsonFlag(),
	}
	flags = append(flags, configurationFlags()...)
	return &cli.Command{
		Name: "marks", Usage: "list what an interrupted run has left on nodes, and undo it",
		ArgsUsage: "[MARK...]",
		Description: "Whatever upkeep changes for a while it marks first: by which run, and how to undo it.\n" +
			"Only what is marked is undone. Exits 0 when no mark is left, 2 when some are, 1 when not every node could be checked.",
		Flags: append(flags, observationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() && !cmd.Bool("undo") {
				return usage(cmd, "marks takes ids only with -undo")
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			if err := w.takeOut(ctx); err != nil {
				return err
			}
			nodes, err := newNodes(w.desired, cmd.Int("parallelism"))
			if err != nil {
				return err
			}
			marked, err := w.marks(ctx, nodes)
			if err != nil {
				return err
			}
			if cmd.Bool("undo") {
				if err := undoMarks(ctx, env, cmd, w, nodes, marked); err != nil {
					return err
				}
				if marked, err = w.marks(ctx, nodes); err != nil {
					return err
				}
			}
			return showMarks(env, cmd, w.desired, marked)
		},
	}
}

// nodeMarks is what one node says of its marks.
type nodeMarks struct {
	Node    string       `json:"node"`
	Unknown string       `json:"unknown,omitempty"`
	Marks   []facts.Mark `json:"marks"`
}

// marks asks every node of the configuration for its marks.
func (w workspace) marks(ctx context.Context, nodes *wiring.Nodes) ([]nodeMarks, error) {
	everyone := config.Selection{}
	for _, n := range w.desired.Nodes {
		everyone.Names = append(everyone.Names, n.Name)
	}
	for _, fleet := range w.desired.Fleets {
		everyone.Fleets = append(everyone.Fleets, fleet.Name)
	}
	needs := []providers.Needs{{Nodes: []providers.NodeNeed{{Nodes: everyone, Question: facts.Question{Marks: true}}}}}
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	world, err := w.observer(nodes, nil).Observe(ctx, w.desired, needs)
	if err != nil {
		return nil, fmt.Errorf("observing: %w", err)
	}
	marked := append(nodesMarks(w, nodes, world), w.clusterMarks(ctx)...)
	plain.In(&marked, plain.Line)
	return marked, nil
}

func nodesMarks(w workspace, nodes *wiring.Nodes, world facts.World) []nodeMarks {
	inventory := providers.NewInventory(w.desired, world)
	nodes.Know(inventory)
	out := []nodeMarks{}
	for _, u := range inventory.Unresolved {
		out = append(out, nodeMarks{Node: "nodes." + u.Fleet.Name, Unknown: u.Why, Marks: []facts.Mark{}})
	}
	for _, n := range inventory.Nodes {
		observed := world.Node(n.Name)
		m := nodeMarks{Node: n.Name, Unknown: observed.Unknown, Marks: slices.Concat([]facts.Mark{}, observed.Marks.Found)}
		if m.Unknown == "" {
			m.Unknown = observed.Marks.Unknown
		}
		out = append(out, m)
	}
	return out
}

// undoMarks undoes marks under the state's lock, so that nobody's run is taken apart while it is under way.
func undoMarks(
	ctx context.Context, env environment, cmd *cli.Command, w workspace, nodes *wiring.Nodes, marked []nodeMarks,
) error {
	wanted := cmd.Args().Slice()
	for _, id := range wanted {
		if !slices.ContainsFunc(marked, func(m nodeMarks) bool {
			return slices.ContainsFunc(m.Marks, func(f facts.Mark) bool { return f.ID == id })
		}) {
			return fmt.Errorf("no node that answers has a mark %s; `upkeep marks` lists them", id)
		}
	}
	return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
		ctx, asked, release, err := finishOnSignal(lock.Context(), env,
			"Interrupt: the current mark is finished, and no other mark is undone. Interrupt again to stop at once.")
		if err != nil {
			return err
		}
		defer release()
		caller := wiring.Caller{Nodes: nodes, Run: wiring.RunOf(lock, "marks-undo"), Fence: wiring.Fence(lock, nil)}
		for _, m := range marked {
			for _, mark := range m.Marks {
				select {
				case <-asked:
					return errInterrupted
				default:
				}
				if len(wanted) > 0 && !slices.Contains(wanted, mark.ID) {
					continue
				}
				undone, err := undoMark(ctx, w, caller, m.Node, mark)
				if err != nil {
					return err
				}
				fmt.Fprintf(env.stderr, "%s: %s: %s\n", m.Node, mark.What, undone)
			}
		}
		return nil
	})
}

// undoMark undoes one mark and says what that did.
func undoMark(ctx context.Context, w workspace, caller wiring.Caller, node string, mark facts.Mark) (string, error) {
	if mark.Unknown != "" {
		return "", fmt.Errorf("%s: mark %s cannot be read, so it is not undone: %s", node, mark.ID, mark.Unknown)
	}
	if node == clusterNode {
		if err := w.undoClusterMark(ctx, mark.ID); err != nil {
			return "", fmt.Errorf("undoing mark %s: %w", mark.ID, err)
		}
		return mark.Undo, nil
	}
	var result protocol.UndoResult
	err := caller.Call(ctx, node, protocol.MethodUndo, protocol.UndoRequest{Mark: mark.ID}, &result, nil)
	if err != nil {
		return "", fmt.Errorf("undoing mark %s: %w", mark.ID, err)
	}
	return plain.Line(orElse(result.Undone, "it was already removed")), nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// marksJSON is the answer of `marks -json`.
type marksJSON struct {
	FormatVersion string `json:"format_version"` // "1.0"
	// Status is "unknown" where a node that counts could not be checked, "drift" where marks are left, or "none".
	Status report.Verdict `json:"status"`
	Nodes  []nodeMarks    `json:"nodes"`
}

// showMarks prints marks and decides the exit code: unknown is never "no marks".
// A node that an ignore block names as unreachable does not count.
func showMarks(env environment, cmd *cli.Command, desired config.Desired, marked []nodeMarks) error {
	exempt := func(node string) bool {
		return slices.ContainsFunc(desired.Ignores, func(i config.Ignore) bool {
			return i.Finding == "NODE_UNREACHABLE" && slices.Contains(i.Nodes, node) && !i.Until.Ended(env.now())
		})
	}
	count, unknown := 0, 0
	for _, m := range marked {
		count += len(m.Marks)
		if m.Unknown != "" && !exempt(m.Node) {
			unknown++
		}
	}
	verdict := report.Well
	switch {
	case unknown > 0:
		verdict = report.Unsure
	case count > 0:
		verdict = report.Drifted
	}
	if cmd.Bool("json") {
		if err := printJSON(env.stdout, marksJSON{FormatVersion: "1.0", Status: verdict, Nodes: marked}); err != nil {
			return err
		}
	} else if err := writeMarks(env, marked, count, unknown); err != nil {
		return err
	}
	return ending(verdictExit(verdict, exitChanges))
}

func writeMarks(env environment, marked []nodeMarks, count, unknown int) error {
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	if count > 0 {
		fmt.Fprintln(table, "NODE\tMARK\tMADE\tWHAT\tUNDO")
	}
	for _, m := range marked {
		for _, mark := range m.Marks {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.Node, mark.ID, mark.Made.UTC().Format(time.RFC3339), orElse(mark.What, mark.Unknown), mark.Undo)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, m := range marked {
		if m.Unknown != "" {
			fmt.Fprintf(env.stdout, "UNKNOWN  %s: %s\n", m.Node, m.Unknown)
		}
	}
	if count == 0 && unknown == 0 {
		_, err := fmt.Fprintln(env.stdout, "No marks: upkeep left nothing on the nodes.")
		return err
	}
	if count > 0 {
		_, err := fmt.Fprintln(env.stdout, "\n`upkeep marks -undo` undoes them; the next `upkeep plan` repairs an interrupted renewal by itself.")
		return err
	}
	return nil
}
