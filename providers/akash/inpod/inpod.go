// Package inpod asks the running pod of an Akash provider what only the pod can tell: what its price script answers
// to sample orders, what its account holds, how far its RPC node is, and when it last placed a bid.
//
// It runs one script of its own in the provider's container and reads the newest lines of the container's log. It
// judges nothing: package akash does. Who may run commands in that container can read the key of the wallet, so
// nothing here runs unless it was asked for.
//
// It promises that the script changes nothing of the provider's, removes what it wrote, and ends within Timeout; that
// what comes back is bounded, and cleaned where it enters; and that what could not be asked is unknown with its
// reason.
package inpod

import (
	"context"
	_ "embed" // the script that runs in the container
	"fmt"
	"io"
	"strings"
	"time"

	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

//go:embed measure.sh
var script string

const (
	// Timeout bounds the script: three orders of 10 s each as the provider gives them (akash.md 3.1), and the queries.
	Timeout = 75 * time.Second
	// ReportLimit is how much of the script's output is read: three answers, a balance and a status, in base64.
	ReportLimit = 512 << 10
	// LogLines is how many of the newest lines of the log are read, LogLimit how many bytes.
	LogLines = 20000
	LogLimit = 32 << 20
)

// Pods reaches the pods of a cluster.
type Pods interface {
	// Run runs a command in a container and returns what it prints, up to limit bytes. The error has what the command
	// said.
	Run(ctx context.Context, namespace, pod, container string, command []string, limit int) ([]byte, error)
	// Log opens the newest lines of a container's log; each begins with its time as RFC 3339 has it.
	Log(ctx context.Context, namespace, pod, container string, lines int64) (io.ReadCloser, error)
}

// Measure asks the pod of a release that was just observed.
func Measure(ctx context.Context, pods Pods, release facts.Release,
	question facts.PodMeasurementQuestion) facts.PodMeasurement {
	pod, why := podOf(release, question.Container)
	if why != "" {
		return facts.PodMeasurement{Unknown: why}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, Timeout, fmt.Errorf("no answer in %s", Timeout))
	defer cancel()
	printed, err := pods.Run(ctx, release.Namespace, pod.Name, question.Container, Command(question.Orders), ReportLimit)
	if err != nil {
		return facts.PodMeasurement{Unknown: reason(ctx, "run a command in pod "+pod.Name, err)}
	}
	found, err := ReadReport(printed, question.Orders)
	if err != nil {
		return facts.PodMeasurement{Unknown: fmt.Sprintf("pod %s: %v", pod.Name, err)}
	}
	found.Pod = pod.UID
	found.Log = logOf(ctx, pods, release.Namespace, pod.Name, question.Container)
	return found
}

// Command is what runs in the container. The API server takes it as a part of a URL, so it is as short as can be:
// without comments and without the blanks that begin a line.
func Command(orders []string) []string {
	var text strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimLeft(line, " "); !strings.HasPrefix(line, "#") {
			text.WriteString(line)
		}
	}
	return append([]string{"bash", "-c", text.String(), "upkeep-measure", price.SampleOwner, denomOf(orders)}, orders...)
}

func logOf(ctx context.Context, pods Pods, namespace, pod, container string) facts.BidLog {
	stream, err := pods.Log(ctx, namespace, pod, container, LogLines)
	if err != nil {
		return facts.BidLog{Unknown: reason(ctx, "read the log of pod "+pod, err)}
	}
	defer stream.Close()
	found, err := ReadLog(io.LimitReader(stream, LogLimit+1))
	if err != nil {
		return facts.BidLog{Unknown: reason(ctx, "read the log of pod "+pod, err)}
	}
	return found
}

// longestReason is how much of an error is kept.
const longestReason = 512

func reason(ctx context.Context, what string, err error) string {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return plain.Bound(plain.Line(fmt.Sprintf("%s: %v", what, err)), longestReason)
}

// podOf finds the pod that runs the container: one that is not ending, of the release's StatefulSets.
func podOf(release facts.Release, container string) (facts.Pod, string) {
	if why := release.WorkloadsUnknown; why != "" {
		return facts.Pod{}, why
	}
	why := "the provider has no pod"
	for _, w := range release.Workloads {
		if w.Kind != "StatefulSet" {
			continue
		}
		if w.Unknown != "" {
			why = w.Unknown
		}
		for _, pod := range w.Pods {
			for _, c := range pod.Containers {
				switch {
				case c.Name != container || pod.Deleting:
				case c.Started.IsZero():
					why = fmt.Sprintf("container %s of pod %s does not run", container, pod.Name)
				default:
					return pod, ""
				}
			}
		}
	}
	return facts.Pod{}, why
}

// denomOf is the denomination of the first order: the provider puts it into the environment of its script.
func denomOf(orders []string) string {
	if len(orders) == 0 {
		return ""
	}
	order, err := price.ParseOrder([]byte(orders[0]))
	if err != nil {
		return ""
	}
	return order.Denom
}
