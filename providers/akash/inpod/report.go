package inpod

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// timedOut and killed are the statuses of timeout(1) for a command that took too long.
const (
	timedOut = 124
	killed   = 137
)

// longestText bounds what is kept of a text that the script or the client printed.
const longestText = 2048

var (
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	amountPattern = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,18})?$`)
	targetPattern = regexp.MustCompile(`^PRICE_TARGET_[A-Z_]{1,40}$`)
)

// ended is how a command in the container ended, and the beginning of what it printed.
type ended struct {
	status         int
	stdout, stderr string
}

// failure says how a command failed; empty: it did not.
func (e ended) failure() string {
	switch {
	case e.status == 0:
		return ""
	case e.status == timedOut || e.status == killed:
		return "it took too long"
	}
	text := fmt.Sprintf("it ended with status %d", e.status)
	if said := line(e.stderr); said != "" {
		text += ": " + said
	}
	return text
}

// line cleans a foreign text to one bounded line.
func line(text string) string {
	return plain.Bound(plain.Line(strings.TrimSpace(text)), longestText)
}

// ReadReport reads what the script prints. It is an error where that is no complete report: nothing of it is believed
// then.
func ReadReport(printed []byte, orders []string) (facts.PodMeasurement, error) {
	r := report{orders: orders}
	lines := strings.Split(string(bytes.TrimSuffix(printed, []byte("\n"))), "\n")
	if lines[0] != "upkeep-measure 1" || lines[len(lines)-1] != "end" {
		return facts.PodMeasurement{}, errors.New("the measurement did not end: its output is incomplete")
	}
	for i, text := range lines[1 : len(lines)-1] {
		word, value, _ := strings.Cut(text, " ")
		if err := r.take(word, value); err != nil {
			return facts.PodMeasurement{}, fmt.Errorf("line %d of the measurement: %w", i+2, err)
		}
	}
	return r.whole()
}

// report is a report in progress.
type report struct {
	orders   []string
	found    facts.PodMeasurement
	scripted bool
	balance  *ended
	status   *ended
}

func (r *report) take(word, value string) error {
	price := &r.found.Price
	switch word {
	case "clock":
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds < 0 || seconds > 1<<40 {
			return fmt.Errorf("the clock is %q", line(value))
		}
		r.found.At = time.Unix(seconds, 0).UTC()
	case "script":
		r.scripted = true
		switch {
		case value == "none":
			price.Unknown = "no order was asked for"
		case value == "missing":
			price.Unknown = "the pod has no bid price script: AKASH_BID_PRICE_SCRIPT_PATH names no file that can be read"
		case digestPattern.MatchString(value):
			price.Script = value
		default:
			return errors.New("the digest of the script is none")
		}
	case "akt":
		data, err := decoded(value)
		if err != nil {
			return err
		}
		if text := strings.TrimSpace(data); amountPattern.MatchString(text) {
			price.AKT = text
		}
	case "target":
		return r.target(value)
	case "jq", "answer", "balance", "status":
		e, err := readEnded(value)
		if err != nil {
			return err
		}
		return r.command(word, e)
	default:
		return fmt.Errorf("the word %q is not known", line(word))
	}
	return nil
}

func (r *report) target(value string) error {
	data, err := decoded(value)
	if err != nil {
		return err
	}
	name, text, found := strings.Cut(data, "=")
	if !found || !targetPattern.MatchString(name) {
		return nil // a variable of somebody's own
	}
	if r.found.Price.Targets == nil {
		r.found.Price.Targets = map[string]string{}
	}
	r.found.Price.Targets[name] = plain.Bound(plain.Line(text), plain.Longest)
	return nil
}

func (r *report) command(word string, e ended) error {
	price := &r.found.Price
	switch word {
	case "jq":
		if price.JQ = line(e.stdout); e.status != 0 {
			price.JQ = ""
		}
	case "answer":
		i := len(price.Answers)
		if i >= len(r.orders) {
			return errors.New("there are more answers than orders")
		}
		price.Answers = append(price.Answers, facts.PriceAnswer{
			Order: r.orders[i], Stdout: plain.Bound(plain.Text(e.stdout), longestText), Stderr: line(e.stderr),
			ExitCode: e.status, TimedOut: e.status == timedOut || e.status == killed,
		})
	case "balance":
		r.balance = &e
	case "status":
		r.status = &e
	}
	return nil
}

// complete returns what the report says, or an error where it leaves something out.
func (r *report) whole() (facts.PodMeasurement, error) {
	price := &r.found.Price
	switch {
	case r.found.At.IsZero() || !r.scripted || r.balance == nil || r.status == nil:
		return facts.PodMeasurement{}, errors.New("the measurement leaves something out")
	case price.Unknown == "" && len(price.Answers) != len(r.orders):
		return facts.PodMeasurement{}, fmt.Errorf("the measurement has %d answers to %d orders", len(price.Answers),
			len(r.orders))
	}
	if price.Unknown != "" {
		*price = facts.PriceMeasurement{Unknown: price.Unknown}
	}
	r.found.Balance, r.found.RPC = balanceOf(*r.balance), statusOf(*r.status)
	return r.found, nil
}

func decoded(value string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return "", errors.New("a value is not base64")
	}
	return string(data), nil
}

// readEnded reads "STATUS STDOUT,STDERR", the texts in base64.
func readEnded(value string) (ended, error) {
	status, texts, found := strings.Cut(value, " ")
	code, err := strconv.Atoi(status)
	if !found || err != nil || code < 0 || code > 255 {
		return ended{}, errors.New("a command has no status")
	}
	stdout, stderr, found := strings.Cut(texts, ",")
	if !found {
		return ended{}, errors.New("a command has no output")
	}
	e := ended{status: code}
	if e.stdout, err = decoded(stdout); err != nil {
		return ended{}, err
	}
	e.stderr, err = decoded(stderr)
	return e, err
}
