package price

import (
	"errors"
	"fmt"
	"strings"
)

// blocksPerMonth is 30.437 days of 6.117-second blocks (akash-network/helm-charts, price_script_generic.sh, all
// versions).
const blocksPerMonth = 429909

// Price answers what a script, or by Scale the provider itself, makes of an order. It is an error where the version
// is not known, or where a target holds a word that only a shell can understand (*Unmodelled).
func Price(o Order, s Setting) (Result, error) {
	if s.Version == Scale {
		return byScale(o, s)
	}
	t, ok := s.Version.Traits()
	if !ok {
		return Result{}, fmt.Errorf("there is no script version %q", s.Version)
	}
	r := &run{order: o, setting: s, traits: t, result: Result{Version: s.Version}}
	if s.Policy != nil && !r.permits(*s.Policy) {
		return r.result, nil
	}
	err := r.all()
	if err == nil && s.Policy != nil {
		err = r.raise(s.Policy.Minimum)
	}
	return r.result, err
}

type run struct {
	order   Order
	setting Setting
	traits  Traits
	result  Result
	out     strings.Builder
	total   word
}

func (r *run) all() error {
	if listed, err := r.listed(); err != nil || !listed {
		return err
	}
	if r.traits.input == objectInput && r.order.Price != PriceAbsent && r.order.Price != PriceObject {
		r.fail("price must be an object! make sure you are using the latest akash-provider.")
		return nil
	}
	if !r.readable() {
		r.fault("the script cannot read this form of an order")
	} else {
		if err := r.sum(); err != nil {
			return err
		}
	}
	return r.answer()
}

// readable says whether the version finds the resources: those with a price within their object, a bare list otherwise.
func (r *run) readable() bool {
	return r.order.Bare || r.priced() && r.traits.input != bareInput
}

// priced says whether the version takes the order for one with a price. One that reads text takes null for none.
func (r *run) priced() bool {
	return r.order.Price != PriceAbsent && (r.order.Price != PriceNull || r.traits.input == objectInput)
}

func (r *run) fail(text string) {
	r.result.Stderr, r.result.ExitCode = text, 1
	r.result.Stdout = r.out.String()
}

func (r *run) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, known := range r.result.Faults {
		if known == text {
			return
		}
	}
	r.result.Faults = append(r.result.Faults, text)
}

// bcFault and shellFault keep the errors that are not the script's own, which it ignores.
func bcFault(err error) error {
	if errors.Is(err, errSyntax) {
		return nil
	}
	return err
}

func shellFault(err error) error {
	if errors.As(err, &errShell{}) {
		return nil
	}
	return err
}

// sum computes the order's price in USD a month.
func (r *run) sum() error {
	total, priced := number{}, true
	amounts := quantities(r.order, r.traits)
	for i, target := range numericTargets() {
		given, _ := r.setting.Targets.Get(target.Key)
		line := Line{What: target.What, Unit: target.Unit, Quantity: amounts[i], Key: target.Key, Target: orDefault(given,
			target.Default), Default: given == ""}
		n, err := product(amounts[i], line.Target)
		switch {
		case err == nil:
			line.USD = n.usd()
			total = total.plus(n)
		case bcFault(err) != nil:
			return fmt.Errorf("%s: %w", target.Key, err)
		default:
			line.Failed, priced = true, false
			if amounts[i] == "" {
				r.fault("jq cannot compute how much %s is asked for", target.What)
			} else {
				r.fault("bc cannot compute %s * %s for %s", amounts[i], line.Target, target.What)
			}
		}
		r.result.Lines = append(r.result.Lines, line)
	}
	gpus, err := r.gpus()
	if err != nil {
		return err
	}
	r.result.GPUTotal = gpus.number.usd()
	if priced && gpus.ok {
		r.total = word{number: total.plus(gpus.number), ok: true}
		if len(r.total.text()) > longestNumber {
			return unmodelled("a total of %d characters, which bc folds", len(r.total.text()))
		}
		r.result.Total, r.result.Priced = r.total.number.usd(), true
	}
	r.debug("Total cost USD/month: " + r.total.text())
	return nil
}

// product is "($quantity * $target)" of bc. A parenthesis in a target would reach into the rest of the sum.
func product(quantity, target string) (number, error) {
	if strings.ContainsAny(target, "()\n") {
		return number{}, unmodelled("the target %q", target)
	}
	return calculate(joined("(", quantity, " * ", target, ")"), bcScale)
}

func (r *run) debug(line string) {
	if r.setting.Targets.Debug != "" && r.traits.PrintsDebug {
		r.out.WriteString("DEBUG: " + line + "\n")
	}
}
