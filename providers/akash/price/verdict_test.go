package price

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheProviderJudgesTheAnswer(t *testing.T) {
	o := mustOrder(t, asked(order4, UACT, "5.745402000000000000", 6))
	for _, test := range []struct {
		name   string
		result Result
		want   Verdict
	}{
		{"exactly the maximum", Result{Stdout: "5.745402"}, Verdict{Bids: true, Amount: "5.745402", Denom: UACT}},
		{"a line end is trimmed", Result{Stdout: "5\n"}, Verdict{Bids: true, Amount: "5", Denom: UACT}},
		{"too high", Result{Stdout: "5.745403"}, Verdict{Reason: TooHigh, Detail: "5.745403 is above the maximum of 5.745402000000000000"}},
		{"zero", Result{Stdout: "0.000000"}, Verdict{Reason: Zero, Detail: "a bid of zero was produced"}},
		{"below zero", Result{Stdout: "-9.606684"}, Verdict{Reason: Negative, Detail: "the price is -9.606684"}},
		{"nothing", Result{Stdout: "\n"}, Verdict{Reason: NoNumber, Detail: "the script printed nothing"}},
		{"debug lines", Result{Stdout: "DEBUG: model 0\n5"}, Verdict{Reason: NoNumber, Detail: `"DEBUG: model 0\n5" is not one decimal number`}},
		{"no digits before the point", Result{Stdout: ".5"}, Verdict{Reason: NoNumber, Detail: `".5" is not one decimal number`}},
		{"18 decimals", Result{Stdout: "0.000000000000000001"}, Verdict{Bids: true, Amount: "0.000000000000000001", Denom: UACT}},
		{"19 decimals", Result{Stdout: "0.0000000000000000001"}, Verdict{Reason: NoNumber, Detail: `"0.0000000000000000001" has more than 18 decimals`}},
		{"too high for the script", Result{ExitCode: 1, Stderr: "requested rate is too low. min expected 6uact"}, Verdict{Reason: TooHigh, Detail: "requested rate is too low. min expected 6uact"}},
		{"an error", Result{ExitCode: 1, Stderr: "denom in not supported: uact"}, Verdict{Reason: ScriptFailed, Detail: "denom in not supported: uact"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Judge(o, test.result)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMonthly(t *testing.T) {
	for _, test := range []struct{ amount, denom, akt, want string }{
		{"2.326074", UACT, "", "1"},
		{"4885.568806", USDC, "", "2100.35"},
		{"1628.522935", UAKT, "3", "2100.35"},
		{"1628.522935", UAKT, "", ""},
		{"1", "uusd", "3", ""},
		{"x", UACT, "3", ""},
	} {
		got, ok := Monthly(test.amount, test.denom, test.akt)
		if ok != (test.want != "") || ok && got.String() != test.want {
			t.Errorf("%s%s at %s a AKT is %s, %t; want %q", test.amount, test.denom, test.akt, got, ok, test.want)
		}
	}
}
