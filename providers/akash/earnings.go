package akash

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
)

// variableDeposit is how much a provider deposits with each bid, such as 500000uakt.
const variableDeposit = "AKASH_BID_DEPOSIT"

// denomGas is what a provider pays its transactions with (gasprices of the chart, akash.md 2.2).
const denomGas = "uakt"

const (
	// blockAge is how far the newest block of the RPC node may be from the clock of the pod: farther, and the chart's
	// wait_for_rpc.sh does not let the provider start (akash.md 2.3).
	blockAge = 30 * time.Second
	// quiet is how long a provider that sees orders may place no bid before that is reported; recent is how new a bid
	// must be to say more than sample orders do.
	quiet  = 24 * time.Hour
	recent = time.Hour
	// fewDeposits and fewDays are what a balance must be good for.
	fewDeposits = 10
	fewDays     = 7
)

// reviewMeasurement judges what the running pod answered about itself.
func (r *review) reviewMeasurement() {
	c := container(r.provider.pod)
	if c == nil || c.Started.IsZero() || r.provider.workload.Replicas == 0 {
		return // a finding already
	}
	m := r.release.Measured
	if m == nil {
		r.out.Warnings = append(r.out.Warnings, fmt.Sprintf(
			"%s: prices, balance, RPC node and last bid are not measured in the running pod. Measure with: upkeep drift -measure-in-pod", r.address))
		return
	}
	if m.Unknown != "" {
		r.unmeasured(r.provider.pod.Name, m.Unknown)
		return
	}
	// A balance and an RPC node are the same for every pod of the provider, the rest is of the pod that was asked.
	var causes []cause
	balance, deposit := r.balance(*c, m.Balance)
	causes = append(causes, balance.causes...)
	if m.RPC.Unknown != "" {
		r.unmeasured("RPC node", m.RPC.Unknown)
	}
	causes = append(causes, chainCauses(*m)...)
	ofPod := measurementOf(r.release) != nil
	if ofPod {
		causes = append(causes, r.reviewAnswers(*m)...)
		if m.Log.Unknown != "" {
			r.unmeasured("log", m.Log.Unknown)
		}
		causes = append(causes, logCauses(*m)...)
	}
	r.notBidding(causes)
	if len(balance.causes) == 0 && balance.known {
		r.balanceLow(balance, deposit, *m, ofPod)
	}
	if m.Balance.Unknown != "" && m.RPC.Silent == "" {
		r.unmeasured("balance", m.Balance.Unknown)
	}
}

func (r *review) unmeasured(object, why string) {
	r.add(providers.Finding{
		ID: "PROVIDER_POD_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: object, Summary: why,
		Hint: "see that the container answers: " + r.inPod("true"),
	})
}

// inPod is the command line that runs a command in the provider's container.
func (r *review) inPod(command string) string {
	return fmt.Sprintf("`kubectl -n %s exec %s -c %s -- %s`", r.spec.Namespace, r.provider.pod.Name, containerName,
		command)
}

// cause is a reason why the provider places no bids.
type cause struct {
	what, hint string
	// likely: the provider may have had nothing to bid on.
	likely bool
}

// notBidding reports all causes as one finding, whose first words are the first cause.
func (r *review) notBidding(causes []cause) {
	if len(causes) == 0 {
		return
	}
	severity := providers.SeverityWarning
	var texts []string
	for _, c := range causes {
		if !c.likely {
			severity = providers.SeverityError
		}
		texts = append(texts, c.what)
	}
	r.add(providers.Finding{
		ID: "PROVIDER_NOT_BIDDING", Severity: severity, Object: r.provider.pod.Name, Summary: strings.Join(texts,
			"; also: "), Hint: causes[0].hint,
	})
}

// funds is what the account of the provider holds, against what its bids need.
type funds struct {
	known  bool
	has    *big.Int // of the deposit's denomination
	denom  string
	causes []cause
}

var coinText = regexp.MustCompile(`^([0-9]{1,30})([a-zA-Z][a-zA-Z0-9/:._-]{2,127})$`)

// coin reads an amount with its denomination; nil where the text is none, or nothing.
func coin(text string) (*big.Int, string) {
	m := coinText.FindStringSubmatch(text)
	if m == nil {
		return nil, ""
	}
	amount, ok := new(big.Int).SetString(m[1], 10)
	if !ok || amount.Sign() <= 0 {
		return nil, ""
	}
	return amount, m[2]
}

func held(b facts.Balance, denom string) *big.Int {
	amount, ok := new(big.Int).SetString(b.Coins[denom], 10)
	if !ok {
		return new(big.Int)
	}
	return amount
}

// balance compares the account with the deposit of one bid and with what transactions are paid with.
func (r *review) balance(c facts.Container, b facts.Balance) (funds, *big.Int) {
	if b.Unknown != "" {
		return funds{}, nil
	}
	variable := r.release.Variable(c, variableDeposit)
	deposit, denom := coin(variable.Value)
	if deposit == nil {
		r.unmeasured("balance", fmt.Sprintf("the pod has %s = %q, which is no amount, so what a bid needs is not known",
			variableDeposit, variable.Value))
		return funds{}, nil
	}
	p := funds{known: true, has: held(b, denom), denom: denom}
	if p.has.Cmp(deposit) < 0 {
		p.causes = append(p.causes, cause{
			what: fmt.Sprintf("the account holds %s, and each bid deposits %s", money(p.has, denom), money(deposit, denom)),
			hint: "send funds to the address of the provider: " + r.inPod("printenv AKASH_FROM"),
		})
	}
	if gas := held(b, denomGas); denom != denomGas && gas.Sign() == 0 {
		p.causes = append(p.causes, cause{
			what: "the account holds no AKT, and transactions are paid in AKT",
			hint: "send AKT to the address of the provider: " + r.inPod("printenv AKASH_FROM"),
		})
	}
	return p, deposit
}

// balanceLow reports a balance that is soon used up. A deposit comes back when its bid ends without a lease, so the
// days are the fewest that are possible.
func (r *review) balanceLow(p funds, deposit *big.Int, m facts.PodMeasurement, ofPod bool) {
	covers := new(big.Int).Div(p.has, deposit)
	days := -1.0
	text := fmt.Sprintf("the account holds %s, enough for the deposits of %s bids (%s each)", money(p.has, p.denom),
		covers, money(deposit, p.denom))
	if span := m.At.Sub(m.Log.Since); ofPod && m.Log.Unknown == "" && m.Log.Bids > 0 && span >= recent {
		perDay := float64(m.Log.Bids) / (span.Hours() / 24)
		number, _ := new(big.Float).SetInt(covers).Float64()
		days = number / perDay
		text += fmt.Sprintf("; at %.0f bids a day, as in the log of the last %s, that is at least %.1f days", perDay,
			hours(span), days)
	}
	fewBids := covers.Cmp(big.NewInt(fewDeposits)) < 0
	if !fewBids && (days < 0 || days >= fewDays) {
		return
	}
	r.add(providers.Finding{
		ID: "PROVIDER_BALANCE_LOW", Severity: providers.SeverityWarning, Object: p.denom, Summary: text,
		Hint: "send funds to the address of the provider: " + r.inPod("printenv AKASH_FROM"),
	})
}

// money writes an amount in the unit that people know: a million of a denomination that begins with u is one of it.
func money(amount *big.Int, denom string) string {
	name, micro := strings.CutPrefix(denom, "u")
	if !micro || strings.Contains(denom, "/") {
		return fmt.Sprintf("%s %s", amount, denom)
	}
	whole := new(big.Rat).SetFrac(amount, big.NewInt(1_000_000))
	return strings.TrimSuffix(strings.TrimRight(whole.FloatString(6), "0"), ".") + " " + strings.ToUpper(name)
}

func hours(d time.Duration) string { return plural(int(d.Hours()), "hour") }

// chainCauses says how the RPC node keeps the provider from bidding.
func chainCauses(m facts.PodMeasurement) []cause {
	const hint = "point AKASH_NODE (the value `node`) at an RPC node that is in step, or repair the own one"
	age := m.At.Sub(m.RPC.BlockTime)
	switch {
	case m.RPC.Unknown != "":
		return nil
	case m.RPC.Silent != "":
		return []cause{{what: "the RPC node does not answer the pod (" + m.RPC.Silent + ")", hint: hint}}
	case m.RPC.CatchingUp:
		return []cause{{what: fmt.Sprintf("the RPC node is catching up; its newest block is %s old", age.Round(time.Second)),
			hint: hint}}
	case age > blockAge:
		return []cause{{what: fmt.Sprintf("the RPC node is behind: its newest block is %s old, and at most %s is usable",
			age.Round(time.Second), blockAge), hint: hint}}
	case age < -blockAge:
		return []cause{{what: fmt.Sprintf("the clock of the pod is %s behind the newest block of the RPC node",
			(-age).Round(time.Second)), hint: "set the clock of the node that runs the provider: `timedatectl` shows it"}}
	}
	return nil
}

// reviewAnswers judges what the price script in the pod answers to the sample orders, and returns how it keeps the
// provider from bidding.
func (r *review) reviewAnswers(m facts.PodMeasurement) []cause {
	if !r.was.scripted {
		return nil
	}
	if m.Price.Unknown != "" {
		r.unmeasured("bid price script", m.Price.Unknown)
		return nil
	}
	for _, difference := range priceDifferences(r.was, m.Price, r.in.World.Prices) {
		object, summary, _ := strings.Cut(difference, ": ")
		r.add(providers.Finding{
			ID: "PRICE_DIFFERS_IN_POD", Severity: providers.SeverityError, Object: object, Summary: summary,
			Hint: fmt.Sprintf("see which script and prices the pod has: %s; a restart gives the pod those of the release: "+
				"upkeep apply -replace=%s%s", r.inPod("env"), r.address, rollback(r.release, "; ")),
		}, "price_targets.gpu")
	}
	return r.scriptCauses(m)
}

// scriptCauses: the script refuses every sample order, and the log has no recent bid that says otherwise.
func (r *review) scriptCauses(m facts.PodMeasurement) []cause {
	if len(m.Price.Answers) == 0 || !m.Log.LastBid.IsZero() && m.At.Sub(m.Log.LastBid) < recent {
		return nil
	}
	var first price.Verdict
	for i, answer := range m.Price.Answers {
		order, err := price.ParseOrder([]byte(answer.Order))
		if err != nil {
			return nil // recorded facts of somebody else's making
		}
		verdict := verdictOf(order, answer)
		if verdict.Bids {
			return nil
		}
		if i == 0 {
			first = verdict
		}
	}
	script, hint := "the bid price script", "run the script in the pod: "+r.inPod("env")+" shows what it is given"
	if r.was.recognition.Customised() {
		script = "the customised bid price script"
		hint = "compare the script with the published one: `upkeep price explain` names each change"
	}
	switch first.Reason {
	case price.Zero:
		return []cause{{what: script + " prints 0 for every sample order", hint: hint}}
	case price.NoNumber:
		return []cause{{what: script + " prints no number for any sample order: " + first.Detail, hint: hint}}
	}
	return []cause{{what: script + " refuses every sample order: " + first.Detail, hint: hint}}
}

// logCauses: orders came, or should have come, and no bid was placed for a long time.
func logCauses(m facts.PodMeasurement) []cause {
	log := m.Log
	if log.Unknown != "" || log.Since.IsZero() {
		return nil
	}
	silentSince := log.Since
	if log.LastBid.After(silentSince) {
		silentSince = log.LastBid
	}
	silence := m.At.Sub(silentSince)
	if silence < quiet {
		return nil
	}
	const hint = "`kubectl logs` of the provider says what became of each order: look for \"unable to fulfill\" and \"reserving resources\""
	what := fmt.Sprintf("the log has no bid for %s", hours(silence))
	switch {
	case log.FailedAt.After(log.LastBid) && log.LastFailure != "":
		return []cause{{what: what + ", and the last one failed: " + log.LastFailure, hint: hint}}
	case log.Orders == 0:
		return []cause{{what: what + " and no order either, so the provider does not hear of orders",
			hint: "restart the provider: its connection to the RPC node may be stale", likely: true}}
	}
	return []cause{{what: what + fmt.Sprintf(", although %s came", plural(log.Orders, "order")), hint: hint, likely: true}}
}
