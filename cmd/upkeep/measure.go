package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/providers/facts"
	"upkeep/providers/observe"
	"upkeep/providers/plain"
	"upkeep/providers/sandbox"
)

// measureFlags let a command run bid price scripts in a sandbox.
func measureFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "measure", Usage: "run modified bid price scripts in a sandbox, and record what they answer; Linux only"},
	}
}

// measuring returns what runs bid price scripts; nil where the command line does not ask for it. Recorded facts are
// measured already or not: nothing is run for them.
func measuring(cmd *cli.Command) (observe.Prices, error) {
	if !hasFlag(cmd, "measure") || !cmd.Bool("measure") {
		return nil, nil
	}
	if hasFlag(cmd, "untrusted") && cmd.Bool("untrusted") {
		return nil, usage(cmd, "-measure runs bid price scripts, and -untrusted says that another person wrote them; measure only what you trust")
	}
	if hasFlag(cmd, "facts") && cmd.String("facts") != "" {
		return nil, usage(cmd, "-measure runs scripts, and a plan from recorded facts runs nothing; measure where the facts are recorded: upkeep observe -measure -out=FILE")
	}
	return measurer{}, nil
}

// measurer measures prices with a sandbox on this machine.
type measurer struct{}

// The limits of one run: the provider itself waits 10 s for its script (akash-network/provider,
// AKASH_BID_PRICE_SCRIPT_PROCESS_TIMEOUT).
var measureLimits = sandbox.Limits{Time: 10 * time.Second, Memory: 256 << 20, Output: 64 << 10, Processes: 64}

// scriptPrograms are what the published scripts call, and what else a provider's image has for scripts: bash, jq, bc,
// mawk, grep, find and coreutils.
const scriptPrograms = "bash sh jq bc awk mawk grep egrep fgrep find sed xargs base64 basename cat chmod comm cp cut date dirname echo env expr false fold head id " +
	"join ls md5sum mkdir mktemp mv nl od paste printf pwd readlink rev rm rmdir seq sha256sum sleep sort split stat tac tail tee test timeout touch tr true tsort uname uniq wc"

// mostLate is how many orders may take too long before a measurement is given up.
const mostLate = 3

// mostStderr is how much of what a script complains of is kept, in bytes.
const mostStderr = 2000

func (measurer) Measure(ctx context.Context, q facts.PriceQuestion) facts.PriceMeasurement {
	sum := sha256.Sum256([]byte(q.Script))
	out := facts.PriceMeasurement{Script: hex.EncodeToString(sum[:]), Targets: q.Targets, AKT: q.AKT}
	unknown := func(err error) facts.PriceMeasurement {
		return facts.PriceMeasurement{Unknown: plain.Line(err.Error())}
	}
	feed, err := priceFeed(q.AKT)
	if err != nil {
		return unknown(err)
	}
	job := sandbox.Job{
		Script: []byte("#!/bin/sh\njq --version\n"), Programs: strings.Fields(scriptPrograms), Required: []string{"bash",
			"jq", "bc", "awk"},
		Stubs: map[string]string{"curl": feed}, Limits: measureLimits,
	}
	version, err := sandbox.Run(ctx, job)
	if err != nil {
		return unknown(err)
	}
	out.JQ = plain.Line(strings.TrimSpace(string(version.Stdout)))
	job.Script, job.Environment = []byte(q.Script), q.Targets
	late := 0
	for _, order := range q.Orders {
		job.Stdin = []byte(order + "\n")
		answer, err := sandbox.Run(ctx, job)
		if err != nil {
			return unknown(err)
		}
		if answer.Ended != "" && answer.Ended != sandbox.OutOfTime {
			return unknown(fmt.Errorf("the script was ended: its limit of %s was reached", answer.Ended))
		}
		if answer.Ended == sandbox.OutOfTime {
			late++
		}
		if late > mostLate {
			return unknown(fmt.Errorf("the script did not end within %s for %d orders", measureLimits.Time, late))
		}
		out.Answers = append(out.Answers, facts.PriceAnswer{
			Order: order, Stdout: plain.Text(string(answer.Stdout)), Stderr: plain.Text(cut(string(answer.Stderr),
				mostStderr)), ExitCode: answer.ExitCode,
			TimedOut: answer.Ended == sandbox.OutOfTime,
		})
	}
	return out
}

func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}

var decimalPrice = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,20})?$`)

// priceFeed returns a script that stands for curl: it answers what published scripts ask (DIA, imperator and
// CoinGecko) with a price of AKT, and everything else as where there is no network.
func priceFeed(akt string) (string, error) {
	if !decimalPrice.MatchString(akt) {
		return "", fmt.Errorf("%q is no price of AKT", akt)
	}
	return strings.ReplaceAll(`#!/bin/sh
case "$*" in
*api.diadata.org/*) echo '{"Price":AKT}' ;;
*imperator.co/*) echo '{"price":AKT}' ;;
*api.coingecko.com/*) echo '{"akash-network":{"usd":AKT}}' ;;
*) exit 6 ;;
esac
`, "AKT", akt), nil
}
